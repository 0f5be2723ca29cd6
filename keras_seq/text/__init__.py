"""Text preprocessing: encoders, vocabularies, tags and spans."""

from keras_seq.text.encoder import TextEncoder
from keras_seq.text.split_rule import SplitRule
from keras_seq.text.tag_scheme_detection import guess_scheme
from keras_seq.text.tag_schemes import (
    Span,
    convert_tags,
    make_tags,
    spans_to_tags,
    tags_to_spans,
)
from keras_seq.text.tags import TagSet, TextSpan
from keras_seq.text.tokenizer_choice import TokenizerReport, choose_tokenizer
from keras_seq.text.vocabulary import Vocabulary

__all__ = [
    "Span",
    "SplitRule",
    "TagSet",
    "TextEncoder",
    "TextSpan",
    "TokenizerReport",
    "Vocabulary",
    "choose_tokenizer",
    "convert_tags",
    "guess_scheme",
    "make_tags",
    "spans_to_tags",
    "tags_to_spans",
]
