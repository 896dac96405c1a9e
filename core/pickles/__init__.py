"""Pickles, in which DeepFaceLab keeps metadata and weights, read without running anything and written as it writes them."""
