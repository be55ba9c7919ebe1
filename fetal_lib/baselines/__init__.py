"""What a network has to be better than."""
