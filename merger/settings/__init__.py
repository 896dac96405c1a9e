"""The settings of a merge: one table, its questions, and files of settings."""
