"""Metrics of tunes: likelihood of real tunes, and measures of generated ones."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from keras_seq.models import SequenceGenerator
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

from . import files, tunes
from .measures import make_overlap_finder, measure_tunes, train_style_classifier

NUM_GENERATED, NUM_WRITTEN = 100, 3
"""Number of tunes to generate and of tunes to write as files, per style."""
MAX_LENGTH = 600
"""Maximum number of tokens of a generated tune."""


def evaluate(model: SequenceGenerator, splits: Splits, name: str) -> Metrics:
    """Return nats per event and perplexity.

    Nats per event are the negative log-likelihood of all tokens over the number of notes and rests.
    """
    examples = splits[name]
    log_probs = np.concatenate(model.log_probs(examples.inputs, examples.targets))
    num_events = sum(tunes.is_event(token) for tune in examples.inputs for token in tune)
    return {
        "nats_per_event": float(-log_probs.sum() / num_events),
        "perplexity": float(np.exp(-log_probs.mean())),
    }


def report(model: SequenceGenerator, splits: Splits, name: str, folder: Path) -> dict[str, Any]:
    """Generate tunes in every style, write some, and compare their measures with real tunes.

    Tunes are written to `samples/`, and measures per style to `measures.json`.

    Returns:
        Measures of all generated and of all real tunes.
    """
    names = model.styles or []
    styles = [style for style in names for _ in range(NUM_GENERATED)]
    sequences = model.generate_tokens(styles=styles, max_length=MAX_LENGTH, seed=0)
    generated = [sequence.tokens for sequence in sequences]
    for row, (tokens, style) in enumerate(zip(generated, styles)):
        if (number := row % NUM_GENERATED) < NUM_WRITTEN:
            stem = f"{names.index(style)}_{style.replace(' ', '_')}_{number + 1}"
            files.write_tune(tokens, folder / "samples" / stem, f"{style} {number + 1}", style)
    train, find_overlap = splits["train"], make_overlap_finder(splits["train"].inputs)
    classifier = None
    if len(names) > 1:
        classifier = train_style_classifier(drop_chorale_keys(train.inputs), train.targets)
    measures: dict[str, dict[str, Any]] = {"all": {}, **{style: {} for style in names}}
    for kind, all_tunes, labels in (
        ("generated", generated, styles),
        ("real", splits[name].inputs, splits[name].targets),
    ):
        for style, by_kind in measures.items():
            rows = [row for row in zip(all_tunes, labels) if style in ("all", row[1])]
            if not rows:
                continue
            selected, selected_labels = map(list, zip(*rows))
            by_kind[kind] = measure_tunes(selected, find_overlap)
            if classifier is not None:
                predicted = classifier.predict(drop_chorale_keys(selected))
                by_kind[kind]["style_accuracy"] = float((predicted == selected_labels).mean())
    (folder / "measures.json").write_text(json.dumps(measures, indent=2) + "\n", encoding="utf-8")
    return measures["all"]


def drop_chorale_keys(tune_list: Iterable[tunes.Tokens]) -> list[list[str]]:
    """Return tunes without the keys of chorales, which reveal their style, major or minor."""
    return [
        [token for token in tokens if not (tunes.has_voices(tokens) and token.startswith("K:"))]
        for tokens in tune_list
    ]
