"""Cells over whole sequences."""
