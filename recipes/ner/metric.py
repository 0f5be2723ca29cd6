"""Strict entity metrics: an entity is correct if both its bounds and its label are."""

import html
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path

from keras_seq import data
from keras_seq.batching import RawExamples
from keras_seq.models import SequenceTagger
from keras_seq.text.detokenization import detect_joining
from keras_seq.text.tag_schemes import OUTSIDE, Span, convert_tags, split_tag, tags_to_spans
from keras_seq.text.tokenizer_choice import MAX_SENTENCES, raw_texts
from keras_seq.text.words import are_characters
from keras_seq.train import plots
from keras_seq.train.metrics import Metrics
from keras_seq.train.recipe import Splits

from .data import data_scheme

COLORS = ("#ffd54f", "#81c784", "#64b5f6", "#e57373", "#ba68c8", "#4db6ac", "#f06292", "#a1887f")

Spans = list[set[Span]]
"""Spans of each sentence."""


def evaluate(model: SequenceTagger, splits: Splits, name: str) -> Metrics:
    """Return strict precision, recall and F1, overall and per label, and tag accuracy.

    These are on the tokens of the data. `f1_raw_text` is the F1 if the model is given raw text, and
    spans are compared by characters.

    `new_entities` has the recall of entities whose text is not an entity in the training split.
    """
    examples = splits[name]
    predicted_tags = predict_tags(model, examples)
    num_tags = sum(map(len, examples.targets["tags"]))
    num_correct = sum(
        a == b for row in zip(predicted_tags, examples.targets["tags"]) for a, b in zip(*row)
    )
    true, predicted = to_spans(model, predicted_tags, examples)
    true_raw, predicted_raw = raw_text_spans(model, splits, name, true, predicted)
    known = _entity_tokens(splits["train"], data_scheme(model))
    num_new = num_new_correct = 0
    for tokens, true_spans, predicted_spans in zip(examples.inputs, true, predicted):
        new = {span for span in true_spans if tuple(tokens[span.start : span.end]) not in known}
        num_new += len(new)
        num_new_correct += len(new & predicted_spans)
    metrics = entity_metrics(true, predicted)
    return {
        # Commands print the first two.
        "f1": metrics.pop("f1"),
        "f1_raw_text": entity_metrics(true_raw, predicted_raw)["f1"],
        **metrics,
        "accuracy": num_correct / num_tags,
        "new_entities": {"recall": num_new_correct / max(num_new, 1)},
    }


def raw_text_spans(
    model: SequenceTagger, splits: Splits, name: str, true: Spans, predicted: Spans
) -> tuple[Spans, Spans]:
    """Return the true and the predicted spans of the raw text of each sentence, in characters.

    The raw text is the original one, or that of `keras_seq.text.detokenization`.

    Args:
        model: Trained model.
        splits: Examples as `load` returns them.
        name: Name of the split.
        true: True spans of each sentence, in tokens.
        predicted: Spans that the model predicts from the tokens of the data.
    """
    examples = splits[name]
    joining = detect_joining(data.subsample(splits["train"].inputs, MAX_SENTENCES))
    rows = raw_texts(examples.inputs, examples.targets.get("texts"), joining)
    true_raw, predicted_raw, others = [], [], []
    for number, (tokens, (text, offsets)) in enumerate(zip(examples.inputs, rows)):
        true_raw.append(_to_characters(true[number], offsets))
        if model.encoder.tokenize(text) == list(tokens):
            predicted_raw.append(_to_characters(predicted[number], offsets))
        else:
            predicted_raw.append(set())
            others.append(number)
    for number, spans in zip(others, model.tag([rows[number].text for number in others])):
        predicted_raw[number] = {Span(span.label, span.start, span.end) for span in spans}
    return true_raw, predicted_raw


def _to_characters(spans: Iterable[Span], offsets: Sequence[tuple[int, int] | None]) -> set[Span]:
    """Return spans in characters. Bounds that are not in the text are negative."""
    result = set()
    for label, first, end in spans:
        start, stop = offsets[first], offsets[end - 1]
        result.add(Span(label, start[0] if start else -first - 1, stop[1] if stop else -end))
    return result


def _entity_tokens(examples: RawExamples, scheme: str) -> set[tuple[str, ...]]:
    """Return the tokens of each entity."""
    return {
        tuple(tokens[span.start : span.end])
        for tokens, tags in zip(examples.inputs, examples.targets["tags"])
        if set(tags) != {"O"}
        for span in tags_to_spans(tags, scheme)
    }


def predict_tags(model: SequenceTagger, examples: RawExamples) -> list[list[str]]:
    """Return the tags that a model predicts, in the scheme of those of the data."""
    schemes = model.tag_set.scheme, data_scheme(model)
    return [convert_tags(tags, *schemes) for tags, _ in model.tag_tokens(examples.inputs)]


def to_spans(
    model: SequenceTagger, predicted_tags: Sequence[Sequence[str]], examples: RawExamples
) -> tuple[Spans, Spans]:
    """Return the true and the predicted spans of each sentence."""
    scheme = data_scheme(model)
    return (
        [set(tags_to_spans(tags, scheme)) for tags in examples.targets["tags"]],
        [set(tags_to_spans(tags, scheme, strict=False)) for tags in predicted_tags],
    )


def entity_metrics(true: Spans, predicted: Spans) -> dict[str, object]:
    """Return precision, recall and F1 of spans, overall and, under "per_label", for each label.

    Args:
        true: True spans of each sentence.
        predicted: Predicted spans of each sentence.
    """
    # seqeval has no wheel, and its source distribution does not build cleanly.
    counts: dict[str, Counter[str]] = {
        "true": Counter(),
        "predicted": Counter(),
        "correct": Counter(),
    }
    for true_spans, predicted_spans in zip(true, predicted, strict=True):
        groups = {
            "true": true_spans,
            "predicted": predicted_spans,
            "correct": true_spans & predicted_spans,
        }
        for name, group in groups.items():
            for span in group:
                counts[name].update([span.label, ""])
    by_label = {}
    for label in ["", *sorted(set(counts["true"]) - {""})]:
        num_true, num_predicted, num_correct = (counter[label] for counter in counts.values())
        by_label[label] = {
            "f1": 2 * num_correct / max(num_true + num_predicted, 1),
            "precision": num_correct / max(num_predicted, 1),
            "recall": num_correct / max(num_true, 1),
        }
    return {**by_label.pop(""), "per_label": by_label}


def report(model: SequenceTagger, splits: Splits, name: str, folder: Path) -> None:
    """Draw the confusion matrix of token labels, and write an HTML page of tagged sentences."""
    examples = splits[name]
    predicted_tags = predict_tags(model, examples)
    scheme = data_scheme(model)
    true_labels, predicted_labels = (
        [split_tag(tag, scheme)[1] or OUTSIDE for row in rows for tag in row]
        for rows in (examples.targets["tags"], predicted_tags)
    )
    labels = ["O", *sorted({*true_labels, *predicted_labels} - {"O"})]
    ids = {label: number for number, label in enumerate(labels)}
    plots.confusion_matrix(
        [ids[label] for label in true_labels],
        [ids[label] for label in predicted_labels],
        labels,
        folder / "confusion_matrix.png",
    )
    true, predicted = to_spans(model, predicted_tags, examples)
    rows = [row for row in zip(examples.inputs, true, predicted) if row[1] or row[2]]
    # Sentences with errors come first.
    rows.sort(key=lambda row: row[1] == row[2])
    num_wrong = sum(row[1] != row[2] for row in rows)
    shown = rows[: min(num_wrong, 100)] + rows[num_wrong : num_wrong + 100]
    (folder / "predictions.html").write_text(write_page(shown, labels[1:]), "utf-8")


def write_page(
    rows: Iterable[tuple[Sequence[str], set[Span], set[Span]]], labels: Sequence[str]
) -> str:
    """Return an HTML page of sentences with their predicted spans in color.

    Args:
        rows: `(tokens, true spans, predicted spans)` of each sentence.
        labels: All labels.
    """
    colors = {label: COLORS[i % len(COLORS)] for i, label in enumerate(labels)}
    legend = " ".join(
        f'<mark style="background:{color}">{html.escape(label)}</mark>'
        for label, color in colors.items()
    )
    lines = []
    for tokens, true, predicted in rows:
        missed, wrong = true - predicted, predicted - true
        lines.append(f"<p>{_mark_spans(tokens, predicted, wrong, colors)}")
        if missed or wrong:
            lines.append(f"<br><small>{_mark_spans(tokens, true, missed, colors)}</small>")
        lines.append("</p>")
    return "\n".join(
        [
            "<!doctype html><meta charset='utf-8'><title>Named entities</title>",
            "<style>body{font:16px/1.9 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}"
            "mark{padding:.1em .2em;border-radius:.25em}mark.off{outline:2px solid #b71c1c}"
            "sub{font-size:.6em}</style>",
            f"<h1>Named entities</h1><p>{legend} Wrong predictions are outlined in red. The small "
            "line below them has the true entities; missed ones are outlined.</p>",
            *lines,
        ]
    )


def _mark_spans(
    tokens: Sequence[str],
    spans: Iterable[Span],
    outlined: Collection[Span],
    colors: Mapping[str, str],
) -> str:
    space = "" if are_characters(tokens) else " "
    parts: list[str] = []
    position = 0
    for span in sorted(spans, key=lambda span: span.start):
        parts += map(html.escape, tokens[position : span.start])
        text = html.escape(space.join(tokens[span.start : span.end]))
        css_class = ' class="off"' if span in outlined else ""
        color = colors.get(span.label, "#ddd")
        label = html.escape(span.label)
        parts.append(f'<mark{css_class} style="background:{color}">{text}<sub>{label}</sub></mark>')
        position = span.end
    return space.join([*parts, *map(html.escape, tokens[position:])])
