"""Videos: probing, reading, encoding, and the steps made of them."""
