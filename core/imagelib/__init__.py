"""Functions on pictures: arrays in, arrays out."""
