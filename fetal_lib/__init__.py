"""Fetal and brain imaging, re-run as a book: the shared library (nothing heavy loads here)."""

__version__ = "0.1.0"
