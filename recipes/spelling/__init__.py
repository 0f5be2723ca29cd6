"""Grapheme-to-phoneme conversion: pronunciations of words, by an encoder-decoder."""
