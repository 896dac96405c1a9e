"""Networks that a user adds: which are known, where their files are, how each is asked."""
