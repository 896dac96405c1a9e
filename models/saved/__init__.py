"""The life of a saved model: choose, lock, load, write as one transaction, back up."""
