"""Music composition: tunes in a given style, generated event by event."""
