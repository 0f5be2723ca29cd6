"""Speech recognition of spoken digits and commands by CTC, in files or as a stream."""
