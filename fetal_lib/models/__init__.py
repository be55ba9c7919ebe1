"""Networks: one file each, and one registry."""
