"""Tunes composed from nothing or from a number that names a style."""
