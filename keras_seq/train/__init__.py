"""Training of recipes."""
