"""Photos -> face dataset."""
