"""How good it is: entities found as a whole, with the right label (strict)."""

import html
from collections import Counter
from pathlib import Path

from keras_seq.models import SequenceTagger
from keras_seq.text.tag_schemes import tags_to_spans
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

COLOURS = ("#ffd54f", "#81c784", "#64b5f6", "#e57373", "#ba68c8", "#4db6ac", "#f06292", "#a1887f")


def evaluate(model: SequenceTagger, splits: Splits, name: str) -> Metrics:
    """Return strict precision, recall and F1 of entities, in all and by label; accuracy of tags.

    Also the recall of entities that are new: no training sentence has one of that text.
    """
    examples = splits[name]
    found = [tags for tags, _ in model.tag_tokens(examples.inputs)]
    count = sum(map(len, examples.targets["tags"]))
    right = sum(a == b for row in zip(found, examples.targets["tags"]) for a, b in zip(*row))
    true, guessed = both_spans(model, found, examples)
    known = _names(splits["train"], model.tag_set.scheme)
    new, new_found = 0, 0
    for tokens, here, there in zip(examples.inputs, true, guessed):
        unseen = {span for span in here if tuple(tokens[span.start : span.end]) not in known}
        new, new_found = new + len(unseen), new_found + len(unseen & there)
    return entity_metrics(true, guessed) | {
        "accuracy": right / count,
        "new_entities": {"recall": new_found / max(new, 1)},
    }


def _names(examples, scheme):
    """What the entities of examples are called, as tuples of tokens."""
    return {
        tuple(tokens[span.start : span.end])
        for tokens, tags in zip(examples.inputs, examples.targets["tags"])
        if set(tags) != {"O"}
        for span in tags_to_spans(tags, scheme)
    }


def both_spans(model, found, examples):
    """The spans of sentences: those that are true, and those found."""
    return (
        [set(tags_to_spans(tags, model.tag_set.scheme)) for tags in examples.targets["tags"]],
        [set(tags_to_spans(tags, model.tag_set.scheme, strict=False)) for tags in found],
    )


def entity_metrics(true, found):
    """Return precision, recall and F1 of spans, in all and, under "per_label", by label.

    Args:
        true, found: For each sentence a set of `keras_seq.text.tag_schemes.Span`.
    """
    # Not by seqeval: it has no wheel, and its source distribution does not build cleanly.
    counts = {"true": Counter(), "found": Counter(), "right": Counter()}
    for true_here, found_here in zip(true, found, strict=True):
        groups = {"true": true_here, "found": found_here, "right": true_here & found_here}
        for name, group in groups.items():
            for span in group:
                counts[name].update([span.label, ""])
    by_label = {}
    for label in ["", *sorted(set(counts["true"]) - {""})]:
        of_true, of_found, right = (counts[name][label] for name in ("true", "found", "right"))
        by_label[label] = {
            "f1": 2 * right / max(of_true + of_found, 1),
            "precision": right / max(of_found, 1),
            "recall": right / max(of_true, 1),
        }
    return {**by_label.pop(""), "per_label": by_label}


def report(model: SequenceTagger, splits: Splits, name: str, folder: Path) -> None:
    """Draw which labels were taken for which, and write a page of tagged sentences."""
    examples = splits[name]
    found = [tags for tags, _ in model.tag_tokens(examples.inputs)]
    outside = [tag[2:] or "O" for row in examples.targets["tags"] for tag in row]
    guessed = [tag[2:] or "O" for row in found for tag in row]
    labels = ["O", *sorted({*outside, *guessed} - {"O"})]
    number = {label: i for i, label in enumerate(labels)}
    plots.confusion_matrix(
        [number[label] for label in outside],
        [number[label] for label in guessed],
        labels,
        folder / "confusion_matrix.png",
    )
    true, guessed = both_spans(model, found, examples)
    rows = [
        (tokens, here, there)
        for tokens, here, there in zip(examples.inputs, true, guessed)
        if here or there
    ]
    # Those with mistakes first, then some of the others.
    rows.sort(key=lambda row: row[1] == row[2])
    wrong = sum(here != there for _, here, there in rows)
    (folder / "predictions.html").write_text(
        page(rows[: min(wrong, 100)] + rows[wrong : wrong + 100], labels[1:]), "utf-8"
    )


def page(rows, labels):
    """HTML of sentences, the spans that were found in colour.

    Args:
        rows: (tokens, spans that are true, spans found).
        labels: All labels.
    """
    colours = {label: COLOURS[i % len(COLOURS)] for i, label in enumerate(labels)}
    legend = " ".join(
        f'<mark style="background:{c}">{html.escape(k)}</mark>' for k, c in colours.items()
    )
    lines = []
    for tokens, true, found in rows:
        missed, wrong = true - found, found - true
        lines.append(f"<p>{_marked(tokens, found, wrong, colours)}")
        if missed or wrong:
            lines.append(f"<br><small>{_marked(tokens, true, missed, colours)}</small>")
        lines.append("</p>")
    return "\n".join(
        [
            "<!doctype html><meta charset='utf-8'><title>Names in sentences</title>",
            "<style>body{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
            "mark{padding:.1em .2em;border-radius:.25em}mark.off{outline:2px solid #b71c1c}"
            "sub{font-size:.6em}</style>",
            f"<h1>Names in sentences</h1><p>{legend} Outlined in red: wrong; then the small line "
            "below has what is right, outlined what was missed.</p>",
            *lines,
        ]
    )


def _marked(tokens, spans_here, outlined, colours):
    space = "" if all(len(token) == 1 for token in tokens) else " "
    parts, position = [], 0
    for span in sorted(spans_here, key=lambda span: span.start):
        parts += map(html.escape, tokens[position : span.start])
        text = html.escape(space.join(tokens[span.start : span.end]))
        kind = ' class="off"' if span in outlined else ""
        colour = colours.get(span.label, "#ddd")
        label = html.escape(span.label)
        parts.append(f'<mark{kind} style="background:{colour}">{text}<sub>{label}</sub></mark>')
        position = span.end
    return space.join([*parts, *map(html.escape, tokens[position:])])
