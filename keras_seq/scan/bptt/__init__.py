"""Forward passes over time and their gradients, derived by hand (backpropagation through time)."""
