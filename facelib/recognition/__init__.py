"""Who a face is: a recognition network of the user, or the texture of the face."""
