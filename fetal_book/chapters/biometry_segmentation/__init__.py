"""The steps of chapter 03, segmentation and biometry; its notebook calls them in order."""
