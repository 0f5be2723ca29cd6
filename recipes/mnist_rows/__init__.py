"""Handwritten digits, read row by row: an image is a sequence of 28 rows of 28 pixels."""
