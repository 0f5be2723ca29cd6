"""Named entity recognition: persons, places and organisations in sentences."""
