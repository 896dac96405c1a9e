"""Questions of the console that need more than an answer."""
