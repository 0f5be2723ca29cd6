"""Built-in corpora, read from archives of a package index, and speech synthesis."""
