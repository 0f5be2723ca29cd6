"""Copy of the weights of a trained model to a new model of the same class."""

from __future__ import annotations

import collections
import dataclasses
import re
from collections.abc import Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import child_layers, flatten_layers
from keras_seq._internal.types import Array
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.models.base import BaseModel

Key = tuple[str, int]
"""Path of a weight without numbers, and its index among the weights with this path. The numbers of
default names depend on the layers that were created before."""


class _Weight(NamedTuple):
    """Weight, and the names of the layers around it, separated by slashes."""

    layer: str
    variable: keras.Variable


class ShapeMismatchError(InputError):
    """Error for a layer that differs between two models for another reason than their names."""


@dataclasses.dataclass
class CopyReport:
    """Numbers of weights and names that `copy_weights` copied.

    >>> report = CopyReport(copied=12, by_name=3, names={"tokens": (812, 960)})
    >>> str(report)
    '12 weights copied, 3 by name (812 of 960 tokens)'

    Args:
        copied: Number of weights that were copied as a whole.
        by_name: Number of weights of which the entries with known names were copied.
        computed: Number of weights that stay as computed from the new data by `adapt`.
        new: Number of weights that depend on names and that the trained model does not have.
        names: By kind of names, such as "tokens": how many the trained model has, and all.
    """

    copied: int = 0
    by_name: int = 0
    computed: int = 0
    new: int = 0
    names: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)

    def __str__(self) -> str:
        text = f"{self.copied} weights copied"
        if self.by_name:
            counts = [f"{known:,} of {all_:,} {kind}" for kind, (known, all_) in self.names.items()]
            text += f", {self.by_name} by name ({', '.join(counts)})"
        if self.computed:
            text += f", {self.computed} computed from the data"
        return text + (f", {self.new} new" if self.new else "")


def copy_weights(target: keras.Model, source: keras.Model) -> CopyReport:
    """Copy the weights of a trained model to a new model of the same class.

    A model states by `named_weights` which weights depend on a vocabulary or labels. Of these, the
    entries whose names both models have are copied, and others keep their values. All other weights
    are copied as a whole. Weights that a method `adapt` computes from data keep their values.

    >>> from keras_seq.models import SequenceClassifier
    >>> from keras_seq.text import TextEncoder
    >>> trained = SequenceClassifier(TextEncoder(["good", "bad"]), ["no", "yes"])
    >>> new = SequenceClassifier(TextEncoder(["bad", "worse", "good"]), ["no", "yes", "unsure"])
    >>> str(copy_weights(new, trained))
    '9 weights copied, 3 by name (4 of 5 tokens, 2 of 3 labels)'

    Args:
        target: Built model that receives the weights.
        source: Trained model.

    Raises:
        ShapeMismatchError: If a layer has another shape for another reason than its names, or only
            one model has it.
    """
    report, assignments = CopyReport(), []
    named = {side: _named_by_id(side) for side in (target, source)}
    computed = {side: _computed_ids(side) for side in (target, source)}
    sources = _by_key(source)
    for key, weight in _by_key(target).items():
        trained = sources.pop(key, None)
        names = named[target].get(id(weight.variable))
        if id(weight.variable) in computed[target]:
            report.computed += 1
        elif trained is not None:
            trained_names = named[source].get(id(trained.variable))
            values = _values(weight, names, trained.variable, trained_names, report)
            assignments.append((weight.variable, values))
        elif names is not None:
            report.new += 1
        else:
            raise ShapeMismatchError(
                f"The layer {weight.layer} is new: {source.name} has no layer with its type and "
                "position."
            )
    for weight in sources.values():
        if id(weight.variable) not in named[source].keys() | computed[source]:
            raise ShapeMismatchError(
                f"The layer {weight.layer} is missing: only the trained {source.name} has it."
            )
    for variable, values in assignments:
        variable.assign(values)
    return report


def _values(
    weight: _Weight,
    names: NamedWeight | None,
    trained: keras.Variable,
    trained_names: NamedWeight | None,
    report: CopyReport,
) -> Array:
    """Return the values of a weight after the copy, and count it in the report."""
    old, new = ops.convert_to_numpy(trained), ops.convert_to_numpy(weight.variable)
    axes = (None,) * new.ndim if names is None else names.axes
    sizes = [new.shape[axis] for axis, name in enumerate(axes) if name is None]
    old_sizes = [old.shape[axis] for axis, name in enumerate(axes) if name is None]
    if new.ndim != old.ndim or sizes != old_sizes:
        raise ShapeMismatchError(
            f"The layer {weight.layer} has a {weight.variable.name} of shape {new.shape}, but that "
            f"of the trained model has {old.shape}."
        )
    if names is None or trained_names is None:
        report.copied += 1
        return old
    if names.hashed:
        is_kept = all(map(_keeps_ids, names.hashed, trained_names.hashed))
        report.copied, report.new = report.copied + is_kept, report.new + (not is_kept)
        return old if is_kept else new
    ids, old_ids = [], []
    for size, axis, old_axis in zip(new.shape, names.axes, trained_names.axes, strict=True):
        common = [np.arange(size)] * 2
        if axis is not None and old_axis is not None:
            common = _common_ids(axis, old_axis)
            report.names[axis.kind] = len(common[0]), len(axis.names)
        ids.append(common[0])
        old_ids.append(common[1])
    values = new.copy()
    values[np.ix_(*ids)] = old[np.ix_(*old_ids)]
    report.by_name += 1
    return values


def _common_ids(names: AxisNames, trained_names: AxisNames) -> list[Array]:
    """Return the ids of the names in both lists, in the first and in the second."""
    old_ids = {name: id_ for id_, name in enumerate(trained_names.names)}
    pairs = [(id_, old_ids[name]) for id_, name in enumerate(names.names) if name in old_ids]
    return list(np.array(pairs, "int64").reshape(-1, 2).T)


def _keeps_ids(names: AxisNames, trained_names: AxisNames) -> bool:
    """Return whether each name of the trained model has the same id in the new one."""
    return [*names.names[: len(trained_names.names)]] == [*trained_names.names]


def _named_by_id(model: keras.Model) -> dict[int, NamedWeight]:
    weights = model.named_weights() if isinstance(model, BaseModel) else []
    return {id(weight.variable): weight for weight in weights}


def _computed_ids(model: keras.Model) -> set[int]:
    """Return the ids of the objects of all weights that a method `adapt` computes."""
    layers = [layer for layer in flatten_layers(model)[1:] if hasattr(layer, "adapt")]
    return {id(weight) for layer in layers for weight in layer.non_trainable_weights}


def _by_key(model: keras.Model) -> dict[Key, _Weight]:
    counts: collections.Counter[str] = collections.Counter()
    weights = {}
    for weight in _walk(model, (), set()):
        path = re.sub(r"(_\d+)+(?=/|$)", "", f"{weight.layer}/{weight.variable.name}")
        weights[path, counts[path]] = weight
        counts[path] += 1
    return weights


def _walk(layer: keras.layers.Layer, path: tuple[str, ...], seen: set[int]) -> Iterator[_Weight]:
    """Yield the weights within a layer, each once.

    The attribute `path` of a weight also depends on when the layer was built.
    """
    for child in child_layers(layer):
        yield from _walk(child, (*path, child.name), seen)
    for variable in layer.weights:
        if id(variable) not in seen:
            seen.add(id(variable))
            yield _Weight("/".join(path), variable)
