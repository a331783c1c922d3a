"""From a face to its landmarks: a small network for phones, and what it learns from."""
