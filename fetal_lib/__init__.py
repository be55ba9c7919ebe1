"""Fetal and brain imaging: what a researcher imports (nothing heavy loads here)."""

__version__ = "0.1.0"
