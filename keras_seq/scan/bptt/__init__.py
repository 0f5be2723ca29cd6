"""Forward passes that keep what their gradients need, and those gradients, derived by hand."""
