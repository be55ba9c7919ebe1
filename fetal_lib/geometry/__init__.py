"""Ellipses in images: the shape, its fits, and the outlines they are fitted to."""
