"""Labelled faces for other people's trainings."""
