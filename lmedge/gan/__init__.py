"""The face generator: networks, BEGAN, training."""
