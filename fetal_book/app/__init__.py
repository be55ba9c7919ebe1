"""The browser page: trained models on a user's scans, for one person or a class room."""

from fetal_book.app.page import build
from fetal_book.app.server import launch

__all__ = ["build", "launch"]
