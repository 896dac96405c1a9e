"""Quick96."""
