"""Speech recognition of spoken digits and commands by CTC, also while they are spoken."""
