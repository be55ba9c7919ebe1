"""Fetal T2 MRI from a seed: published volumes, folds that grow with age, stacks of slices."""
