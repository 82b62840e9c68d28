"""Golden pairs: what each option makes of one made object, beside what the Basic Profile makes of it."""
