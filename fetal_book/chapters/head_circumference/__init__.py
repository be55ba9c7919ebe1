"""The steps of chapter 04, head circumference; its notebook calls them in order."""
