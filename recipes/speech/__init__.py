"""Speech to text: spoken digits and commands, letter by letter, also while they are spoken."""
