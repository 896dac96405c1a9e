"""Networks that find the landmarks of a face."""
