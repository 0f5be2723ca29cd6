"""Text as models read it: encoders, tokenizers, subwords, vocabularies, tags and spans."""
