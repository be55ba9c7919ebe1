"""Parameters of the chapters: declared once, typed, with unit, range and help."""
