"""The whole process tree, started as a user starts it, against peers that nobody here wrote."""
