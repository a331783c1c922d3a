"""How near generated faces are to real ones: features, distances between sets, memorised faces."""
