"""Does generated data help? A detector trained on real, generated and augmented faces, compared."""
