"""Layers for sound."""
