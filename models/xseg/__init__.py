"""XSeg."""
