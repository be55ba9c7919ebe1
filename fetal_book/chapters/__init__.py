"""Steps of one chapter each, too long for a notebook cell and of no use to another."""
