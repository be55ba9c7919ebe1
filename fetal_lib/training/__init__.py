"""How models learn, and how a finished fit is found again."""
