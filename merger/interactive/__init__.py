"""The interactive merger: state, window, session on disk."""
