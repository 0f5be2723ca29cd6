"""A language model: how likely a text is, what comes next, and texts of its own."""
