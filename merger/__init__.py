"""Predicted faces put back into frames."""
