"""The page on which people place points on generated faces."""
