"""Order of labels such as stars, for their mean absolute error."""

import re
from collections.abc import Collection

from keras_seq import InputError

MIN_ORDERED_LABELS = 3
"""Number of labels from which numbers are taken as ordered; two can be yes and no."""

_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,15})?", re.ASCII)


def sort_labels(labels: Collection[str], label_order: str | None) -> list[str]:
    """Return labels in their order: the given one, or by value if all are numbers, or as texts.

    >>> sort_labels(["10", "9", "1"], None)
    ['1', '9', '10']

    Args:
        labels: Different labels.
        label_order: Labels from the lowest to the highest, separated by commas, or None.

    Raises:
        InputError: If a label is not in the order, or the order has one twice.
    """
    if label_order is None:
        are_numbers = all(map(_NUMBER.fullmatch, labels))
        return sorted(labels, key=lambda label: (float(label) if are_numbers else 0, label))
    order = [label.strip() for label in label_order.split(",")]
    if len({*order}) < len(order):
        raise InputError(f"--label-order has a label twice: {label_order}.")
    if unknown := sorted({*labels} - {*order}):
        raise InputError(
            f"The label {unknown[0]!r} of the data is not in --label-order {label_order}."
        )
    return [label for label in order if label in labels]


def rank_labels(labels: Collection[str], label_order: str | None) -> dict[str, float]:
    """Return the rank of each ordered label; an empty dictionary if labels have no order.

    The rank of a number is its value, that of another label its position in the order.

    >>> rank_labels(["fair", "bad", "good"], "bad,fair,good")
    {'bad': 0.0, 'fair': 1.0, 'good': 2.0}

    Args:
        labels: Different labels.
        label_order: Labels from the lowest to the highest, separated by commas. None stands for the
            order by value of at least `MIN_ORDERED_LABELS` numbers.

    Raises:
        InputError: As `sort_labels` raises.
    """
    ordered = sort_labels(labels, label_order)
    if all(map(_NUMBER.fullmatch, ordered)):
        if label_order is None and len(ordered) < MIN_ORDERED_LABELS:
            return {}
        return {label: float(label) for label in ordered}
    return {label: float(rank) for rank, label in enumerate(ordered)} if label_order else {}
