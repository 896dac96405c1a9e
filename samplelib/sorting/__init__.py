"""Orders of a faceset, and the renaming that puts them down."""
