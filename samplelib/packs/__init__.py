"""Packed facesets: reading, planning, writing and unpacking them."""
