"""The page about the facesets of a project."""
