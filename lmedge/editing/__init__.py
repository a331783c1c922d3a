"""A photo whose attributes are moved: the way there, what is measured on it, and the picture."""
