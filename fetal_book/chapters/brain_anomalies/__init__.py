"""The steps of chapter 02, brain anomalies; its notebook calls them in order."""
