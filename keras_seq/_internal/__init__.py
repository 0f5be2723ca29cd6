"""Parts that other parts of the package share; not for users."""
