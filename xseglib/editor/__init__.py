"""The window in which masks are labelled (PyQt5)."""
