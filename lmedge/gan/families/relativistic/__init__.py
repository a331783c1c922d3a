"""A relativistic pairing GAN (R3GAN, arXiv 2501.05441) of small networks: each drawn face is judged against a real one
of the same landmarks, which are a part of the latent (compare GP-GAN, arXiv 1710.00962)."""
