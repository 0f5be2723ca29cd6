"""Corpora in archives of a package index, and speech synthesis."""
