"""What survives a power cut: the order of system calls, seeded bad servers, every call failing once, replayed cuts."""
