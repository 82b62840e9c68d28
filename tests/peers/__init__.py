"""Programs that nobody here wrote, each shown to accept a good input and to refuse a bad one."""
