"""Trained models on a user's files."""
