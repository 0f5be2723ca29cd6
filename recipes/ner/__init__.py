"""Named entity recognition: persons, places and organizations in sentences."""
