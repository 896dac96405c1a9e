"""Facesets: made, kept, sorted, fed to training."""
