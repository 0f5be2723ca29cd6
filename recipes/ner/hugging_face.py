"""Tagged sentences of datasets of the Hugging Face Hub."""

from collections.abc import Callable
from typing import Any

from keras_seq import InputError, data
from keras_seq.batching import RawExamples
from keras_seq.data import excerpt
from keras_seq.data.tagged_json import TAG_KEYS, TOKEN_KEYS
from keras_seq.text.tag_scheme_detection import guess_scheme
from keras_seq.text.tag_schemes import ALIASES, spans_to_tags, tags_to_spans
from keras_seq.train.recipe import Splits

from .config import Config

Sentence = tuple[list[str], list[str]]
"""Tokens and tags."""


def load(config: Config, scheme: str) -> Splits:
    """Return the sentences of a dataset with lists of tokens and of tags, such as conll2003.

    Args:
        config: Source, columns and tag scheme.
        scheme: Scheme of the result, unless each token has a class.

    Raises:
        InputError: If the dataset has no such columns, or the tags are not valid in their scheme.
    """
    dataset = data.open_hf(config.data)
    columns = {
        "token": dataset.choose_column(
            _candidates(config.token_column, TOKEN_KEYS), "--token-column"
        ),
        "tag": dataset.choose_column(_candidates(config.tag_column, TAG_KEYS), "--tag-column"),
    }
    names = [name.strip() for name in config.tag_names.split(",") if name.strip()]
    rows = dataset.read(columns, _make_parser(config.data, names), lambda row: "".join(row[0]))
    tag_scheme = ALIASES.get(config.tag_scheme, config.tag_scheme)
    if tag_scheme == "auto":
        tag_scheme = guess_scheme([tags for sentences in rows.values() for _, tags in sentences])
    target = "classes" if tag_scheme == "classes" else scheme
    return {
        split: RawExamples(
            [tokens for tokens, _ in sentences],
            {
                "tags": [
                    spans_to_tags(tags_to_spans(tags, tag_scheme), len(tags), target)
                    for _, tags in sentences
                ],
                "word_tags": None,
                "texts": [""] * len(sentences),
            },
        )
        for split, sentences in rows.items()
    }


def _candidates(column: int | str | None, defaults: tuple[str, ...]) -> tuple[str, ...]:
    return defaults if column is None else (str(column),)


def _make_parser(source: str, names: list[str]) -> Callable[[Any, Any], Sentence | str]:
    """Return a function that checks the tokens and tags of a sentence."""

    def parse(tokens: Any, tags: Any) -> Sentence | str:
        if not tokens:
            return "no tokens"
        if not isinstance(tokens, list) or not isinstance(tags, list):
            raise InputError(
                f"{source}: tokens and tags must be lists, got {excerpt(repr(tokens))} and "
                f"{excerpt(repr(tags))}."
            )
        if len(tokens) != len(tags):
            raise InputError(
                f"{source}: {len(tokens)} tokens have {len(tags)} tags: {excerpt(repr(tokens))}."
            )
        if None in tags:
            return "a tag is missing"
        numbers = [tag for tag in tags if isinstance(tag, int)]
        if numbers and not 0 <= min(numbers) <= max(numbers) < len(names):
            raise InputError(
                f"{source}: the tags are numbers up to {max(numbers)}; name them by --tag-names."
            )
        tags = [names[tag] if isinstance(tag, int) else str(tag) for tag in tags]
        return [str(token) for token in tokens], tags

    return parse
