"""Layers for tokens."""
