"""Encoders that extend the vocabulary of a trained model by new tokens."""

from collections.abc import Hashable, Iterable
from typing import TypeVar

from keras_seq._internal.errors import InputError
from keras_seq.text.encoder import TextEncoder
from keras_seq.text.tokenizers import LEARNED

Name = TypeVar("Name", bound=Hashable)

WORDS = frozenset({"word", "whitespace", "penn_treebank", LEARNED})
"""Tokenizers whose tokens are words, so that their vocabularies can be merged."""


def merge_encoders(trained: TextEncoder, new: TextEncoder) -> TextEncoder:
    """Return an encoder with the tokens of a trained model, followed by new ones.

    The tokens of the trained model keep their ids. Text is tokenized as by the new encoder. Of the
    pieces of the tokenizer "wordpiece" only single characters are added, since longer ones would
    split known words in another way.

    >>> merged = merge_encoders(TextEncoder(["good", "bad"]), TextEncoder(["worse", "bad"]))
    >>> merged.vocabulary
    ['good', 'bad', 'worse']

    Args:
        trained: Encoder of the trained model.
        new: Encoder of the new data.

    Raises:
        InputError: If their tokens are not of the same kind, or only one encoder has an end token
            or converts to lower case.
    """
    kinds = [encoder.tokenizer in WORDS or encoder.tokenizer for encoder in (trained, new)]
    if kinds[0] != kinds[1]:
        raise InputError(
            f"The trained model has the tokenizer {trained.tokenizer}, the new one {new.tokenizer}."
            " Use the same tokenizer."
        )
    config, trained_config = new.get_config(), trained.get_config()
    for name in ("lowercase", "end"):
        if config[name] != trained_config[name]:
            raise InputError(
                f"The encoder of the trained model has {name}={trained_config[name]}, the new one "
                f"has {name}={config[name]}. Use the same."
            )
    tokens = new.vocabulary
    if new.tokenizer == "wordpiece":
        tokens = [token for token in tokens if len(token) == 1]
    return TextEncoder.from_config(
        {**config, "vocabulary": merge_names(trained.vocabulary, tokens)}
    )


def merge_names(trained: Iterable[Name], new: Iterable[Name]) -> list[Name]:
    """Return the names of a trained model, which keep their order, followed by new ones.

    >>> merge_names(["jig", "reel"], ["polka", "jig"])
    ['jig', 'reel', 'polka']

    Args:
        trained: Names of the trained model.
        new: Names in the new data.
    """
    return list(dict.fromkeys([*trained, *new]))
