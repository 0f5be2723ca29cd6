"""How well it foretells tunes, and what its own tunes are like beside real ones."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_seq._internal.files import write_json
from keras_seq.models import SequenceGenerator
from keras_seq.train.recipe import Splits

from . import files, tunes
from .measures import measures, shared_with, style_classifier

MADE, WRITTEN = 100, 3
"""How many tunes of each style are made to be measured, and how many of these are written."""

MAX_LENGTH = 600
"""Tokens of a tune."""


def evaluate(model: SequenceGenerator, splits: Splits, name: str) -> dict[str, float]:
    """Return nats an event: the cost of all tokens, a note's or a rest's share of it."""
    examples = splits[name]
    log_probs = np.concatenate(model.log_probs(examples.inputs, examples.targets))
    events = sum(map(tunes.is_event, (token for tune in examples.inputs for token in tune)))
    return {
        "nats_per_event": float(-log_probs.sum() / events),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def report(model: SequenceGenerator, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Compose tunes of every style, write some of each, and measure all beside real ones.

    `samples/` has the tunes, `measures.json` the measures by style.

    Returns:
        The measures over all styles, of what is made and of what is real.
    """
    names = model.styles or []
    styles = [style for style in names for _ in range(MADE)]
    generated = model.generate_tokens(styles=styles, max_length=MAX_LENGTH, seed=0)
    made = [one.tokens for one in generated]
    for number, (tokens, style) in enumerate(zip(made, styles)):
        if (place := number % MADE) < WRITTEN:
            stem = f"{names.index(style)}_{style.replace(' ', '_')}_{place + 1}"
            files.write(tokens, folder / "samples" / stem, f"{style} {place + 1}", style)
    train, shared = splits["train"], shared_with(splits["train"].inputs)
    judge = style_classifier(heard(train.inputs), train.targets) if len(names) > 1 else None
    found: dict[str, dict[str, Any]] = {"all": {}, **{style: {} for style in names}}
    for kind, tunes_, labels in (
        ("generated", made, styles),
        ("real", splits[name].inputs, splits[name].targets),
    ):
        for style, row in found.items():
            here = [tune for tune, of in zip(tunes_, labels) if style in ("all", of)]
            if not here:
                continue
            row[kind] = measures(here, shared)
            if judge is not None:
                right = judge.predict(heard(here)) == [of for of in labels if style in ("all", of)]
                row[kind]["style_accuracy"] = float(right.mean())
    write_json(folder / "measures.json", found)
    return found["all"]


def heard(found):
    """What a style is told by: not by the key of chorales, which says what their style is."""
    return [
        [token for token in tokens if not (tunes.has_voices(tokens) and token.startswith("K:"))]
        for tokens in found
    ]
