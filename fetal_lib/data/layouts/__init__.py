"""One file a folder layout: how it is recognised, and every fault of a folder in it."""
