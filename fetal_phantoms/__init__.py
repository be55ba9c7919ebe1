"""Made-up anatomy for the chapters that must run without patient data."""
