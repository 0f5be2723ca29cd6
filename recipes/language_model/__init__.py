"""A language model: scores texts, predicts the next token, and generates texts."""
