"""Orders of the pictures of a faceset."""
