"""The sources' networks at their published size: measured, trained in pieces, scored once."""
