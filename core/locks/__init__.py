"""Locks on folders and files, which the system releases when their owner ends, and who holds them."""
