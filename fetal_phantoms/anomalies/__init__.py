"""Sixteen classes of fetal brain on ultrasound, each drawn by what defines it."""
