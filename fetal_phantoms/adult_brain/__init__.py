"""Adult T1 MRI from a seed: template anatomy, published volumes, tissue labels."""
