"""Text as models read it: tokenizers, subwords, vocabularies, tags and spans."""
