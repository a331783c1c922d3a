"""BEGAN (arXiv 1703.10717): the discriminator is an auto-encoder, and a balance k keeps both sides alike."""
