"""One page about the facesets of a project."""
