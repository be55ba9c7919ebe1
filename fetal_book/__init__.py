"""What runs, checks and publishes the five chapters of the book."""
