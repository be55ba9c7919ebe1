"""Chapters as files: the text form that people edit and the clean notebook generated from it."""
