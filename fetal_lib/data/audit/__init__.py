"""The leak audit: one function that looks for what lets a model cheat, and its parts."""
