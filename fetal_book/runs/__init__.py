"""One chapter run, from its parameters to its page."""
