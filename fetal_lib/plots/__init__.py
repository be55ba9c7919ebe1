"""Figures by task; functions take and return axes."""
