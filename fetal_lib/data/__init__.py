"""Public data sets: what they are, how they are fetched, whether a folder is whole."""
