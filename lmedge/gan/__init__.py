"""Training a face generator: what all families share, and the families."""
