"""The training loop and all that happens around it."""
