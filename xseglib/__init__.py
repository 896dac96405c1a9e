"""Mask labels: drawn, proposed, applied."""
