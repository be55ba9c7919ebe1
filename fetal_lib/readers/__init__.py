"""Files to arrays: images, one reader a kind."""
