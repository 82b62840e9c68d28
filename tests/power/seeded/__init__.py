"""Bad servers: the product with one promise broken, for RELIABILITY P3 (a harness that finds none of them is blind)."""
