"""Keras -> TFLite: one model that draws the face and says where the landmarks are, and the bundle around it."""

from convert.bundle import Exported, export, export_networks

__all__ = ["Exported", "export", "export_networks"]
