"""Points that people have placed on generated faces, and what is learnt from few of them."""
