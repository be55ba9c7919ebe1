"""Splits that keep groups whole: by shares, in folds, nested; and their checks."""
