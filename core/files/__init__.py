"""Files of the user: temporary files, locks, and what other programs do to them meanwhile."""
