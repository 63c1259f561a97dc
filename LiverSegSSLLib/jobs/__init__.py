"""Jobs: anything longer than a second, as data that a child process runs and reports on."""
