"""How words are said: phonemes from letters, by an encoder, attention and a decoder."""
