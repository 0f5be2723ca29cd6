"""Machine translation of sentences by an encoder-decoder with attention."""
