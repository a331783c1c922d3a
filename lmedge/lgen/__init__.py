"""From a latent to the landmarks of its face."""
