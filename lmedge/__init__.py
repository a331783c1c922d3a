"""Train a small face generator that also says where the landmarks are, and run it on a phone."""

__version__ = "0.1.0"
