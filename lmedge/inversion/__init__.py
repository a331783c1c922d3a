"""From a face to its latent."""
