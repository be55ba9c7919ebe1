"""Heat-maps of what a network looks at, and the checks that they need."""
