"""How fast the models of a bundle are, and which to ship."""
