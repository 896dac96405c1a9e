"""Networks that the kinds of models are built of."""
