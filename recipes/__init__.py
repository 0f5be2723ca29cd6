"""The recipes: one folder an application. Installed under the name `keras_seq_recipes`."""
