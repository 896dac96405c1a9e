"""Files of the user: where they go and how they get there."""
