"""Files of the user and of the program: where they go, how they get there, and pictures read within stated limits."""
