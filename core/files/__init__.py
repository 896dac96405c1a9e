"""Files of the user and of the program: read within stated limits."""
