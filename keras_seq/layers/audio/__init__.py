"""Layers for audio."""
