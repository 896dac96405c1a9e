"""The models: networks, training, saved files, export, and a room for each kind."""
