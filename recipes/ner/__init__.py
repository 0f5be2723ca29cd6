"""Names in sentences: persons, places and organisations, found by a tag for every token."""
