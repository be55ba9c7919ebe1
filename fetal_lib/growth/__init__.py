"""Fetal size and age: published standards as functions of millimetres and weeks."""
