"""Detectors as verbs: training one, and finding landmarks with it on photos and videos."""
