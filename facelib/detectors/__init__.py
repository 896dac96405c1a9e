"""Networks that find the faces of a picture."""
