"""Built-in corpora, read from installed packages."""
