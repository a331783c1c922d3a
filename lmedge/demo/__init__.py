"""Every verb in turn on drawn faces."""
