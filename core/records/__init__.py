"""Text files of the user and of the program (JSON, YAML), read within stated limits."""
