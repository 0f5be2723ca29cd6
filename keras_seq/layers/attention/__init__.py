"""Layers with attention over sequences."""
