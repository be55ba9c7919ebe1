"""Write files whole or not at all, and know by a hash whether they changed."""
