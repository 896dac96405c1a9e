"""The readers of text files of the user and of the program, with stated limits."""
