"""Scores on arrays: segmentation, regression, intervals."""
