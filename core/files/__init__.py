"""Files of the user and of the program: where they go, how they get there, and readers with stated limits."""
