"""Features of tokens from templates, as in classical taggers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.ranges import PositiveInt, Range, check_arguments
from keras_seq._internal.types import Array, Config, Shape, Tensor
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.layers.text.token_attributes import (
    ATTRIBUTES,
    hash_attributes,
    reduce_hash,
    shift_steps,
)
from keras_seq.text.code_points import token_code_points

DropoutRate = Annotated[float, Range(0, below=1)]

_WINDOW = range(-2, 3)
DEFAULT_TEMPLATES: tuple[str, ...] = (
    "bias",
    "position[0]",
    "distance_to_end[0]",
    *(f"{name}[0]" for name in ("token", "shape")),
    *(f"{kind}{size}[0]" for kind in ("prefix", "suffix") for size in (1, 2, 3, 4)),
    *(f"{name}[{step}]" for name in ("lower", "word", "outline") for step in _WINDOW),
    *(f"{name}[{step}]" for name in ("suffix3", "suffix1", "prefix3") for step in (-1, 1)),
    *(f"word[{step}] word[{step + 1}]" for step in range(-2, 2)),
    "word[-1] word[1]",
    *(f"word[{step}] word[{step + 1}] word[{step + 2}]" for step in range(-2, 1)),
    *(f"outline[{step}] outline[{step + 1}]" for step in (-1, 0)),
    *(f"outline[{step}] outline[{step + 1}] outline[{step + 2}]" for step in range(-2, 1)),
)
"""Templates of the default: identities, shapes, prefixes and suffixes, alone and combined."""


class Part(NamedTuple):
    """One attribute of a template, and the time step it is read from, relative to the token."""

    attribute: str
    step: int


@keras.saving.register_keras_serializable(package="keras_seq")
class TemplateFeatures(keras.layers.Layer):
    """Sum of the vectors of all features of a token that are known from training.

    The features follow templates, as in CRF++ and CRFsuite: each is a combination of attributes of
    the token and of its neighbors. If `output_dim` is the number of tags, the layer is the linear
    part of a classical conditional random field, and the wide part of a wide and deep model (Cheng
    et al. 2016).

    >>> from keras_seq.layers import TemplateFeatures
    >>> from keras_seq.text.code_points import token_code_points
    >>> sentences = [["Ada", "slept"], ["Grace", "slept"]]
    >>> templates = ["lower[0]", "lower[-1] suffix2[0]"]
    >>> layer = TemplateFeatures.from_examples(sentences, 4, templates=templates)
    >>> len(layer.keys)  # 3 tokens, and 4 combinations with the token before
    7
    >>> tuple(layer(token_code_points(sentences, max_characters=20)).shape)
    (2, 2, 4)

    A template is one or more parts, separated by spaces. `lower[-1]` is the attribute `lower` of
    the previous token. The attributes are:

    - `token`, `lower`: the token, and the token in lower case;
    - `word`: its letters and digits in lower case, with 0 for each digit, or `lower` if it has
      neither;
    - `shape`: X for each upper-case letter, x for a lower-case one, 0 for a digit, a for another
      letter. Other characters stay;
    - `outline`: the shape with one character for a run of equal ones;
    - `prefix1` to `prefix4`, `suffix1` to `suffix4`: first and last characters in lower case;
    - `position`, `distance_to_end`: number of tokens before and after, at most 4;
    - `bias`, without a step: the same for all tokens.

    Args:
        keys: Hashes of the known features, all different. `from_examples` collects them.
        output_dim: Width of the vector of a feature.
        templates: Templates of features.
        dropout: Probability of dropping each feature of a token in training, from 0 to below 1.
        embeddings_initializer: Initializer of the vectors.
        seed: Random seed for dropout.

    Call arguments:
        inputs: Code points of the characters of each token, `(batch, timesteps, characters)`, 0
            for padding. The class attribute `reads` tells models to pass characters, not ids.
        training: Whether dropout applies.

    Returns:
        `(batch, timesteps, output_dim)`.

    Weights: `table` `(keys, output_dim)`.

    Raises:
        InputError: If there are no keys or templates, or if a template is invalid.
    """

    reads = "characters"

    def __init__(
        self,
        keys: Sequence[int],
        output_dim: PositiveInt,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        dropout: DropoutRate = 0.0,
        embeddings_initializer: Any = "zeros",
        seed: int | None = None,
        *,
        name: str = "template_features",
        **kwargs: Any,
    ) -> None:
        check_arguments(TemplateFeatures, locals())
        super().__init__(name=name, **kwargs)
        self.keys = np.unique(np.asarray(keys, "int32"))
        if not len(self.keys):
            raise InputError("TemplateFeatures needs at least one key; see from_examples.")
        self.templates, self.output_dim = list(templates), output_dim
        self.parts = [parse_template(template) for template in self.templates]
        if not self.parts:
            raise InputError("TemplateFeatures needs at least one template.")
        self.dropout, self.seed = dropout, seed
        self.embeddings_initializer = keras.initializers.get(embeddings_initializer)
        self.seed_generator = keras.random.SeedGenerator(seed)

    @classmethod
    def from_examples(
        cls,
        sentences: Iterable[Sequence[str]],
        output_dim: int,
        *,
        templates: Sequence[str] = DEFAULT_TEMPLATES,
        min_count: int = 1,
        max_features: int | None = None,
        max_characters: int = 20,
        **kwargs: Any,
    ) -> TemplateFeatures:
        """Return a layer that knows the features of sentences.

        Args:
            sentences: Lists of tokens.
            output_dim: Width of the vector of a feature.
            templates: Templates of features.
            min_count: Minimum number of tokens that have a feature.
            max_features: Maximum number of features; the most frequent are kept. Default: all.
            max_characters: Number of characters per token that the layer will read.
            **kwargs: Further arguments of the layer.

        Raises:
            InputError: If a template is invalid, or no feature is frequent enough.
        """
        for name, value in {"min_count": min_count, "max_features": max_features}.items():
            if value is not None:
                Range(1, is_integer=True).check(f"TemplateFeatures: `{name}`", value)
        layer = cls([0], output_dim, templates)
        counts: Counter[int] = Counter()
        for codes in _batches(sentences, max_characters):
            hashes = ops.convert_to_numpy(layer.hash(ops.convert_to_tensor(codes)))
            counts.update(hashes[codes.any(axis=-1)].ravel().tolist())
        keys = [key for key, count in counts.most_common(max_features) if count >= min_count]
        return cls(keys, output_dim, templates, **kwargs)

    def build(self, input_shape: Shape) -> None:
        self.table = self.add_weight(
            shape=(len(self.keys), self.output_dim),
            name="table",
            initializer=self.embeddings_initializer,
        )

    def hash(self, inputs: Tensor) -> Tensor:
        """Return the hashes of the features of each token, int32 `(batch, timesteps, templates)`.

        They are at least 0, and less than 2 ** 24.

        Args:
            inputs: As in a call.
        """
        inputs = ops.cast(inputs, "int32")
        names = {part.attribute for template in self.parts for part in template}
        attributes = hash_attributes(inputs, names)
        features = []
        for number, template in enumerate(self.parts, 1):
            total = ops.full_like(inputs[:, :, 0], _multiplier(number, 0))
            for place, (attribute, step) in enumerate(template, 1):
                total += shift_steps(attributes[attribute], step) * _multiplier(number, place)
            features.append(total)
        return reduce_hash(ops.stack(features, axis=-1))

    def lookup(self, hashes: Tensor) -> tuple[Tensor, Tensor]:
        """Return the row of each feature in the table, and whether the feature is known.

        The search is by bisection, since not all export formats have a search operator.

        Args:
            hashes: Hashes of features, int32 of any shape.
        """
        count = len(self.keys)
        low, high = ops.zeros_like(hashes), ops.full_like(hashes, count - 1)
        for _ in range(count.bit_length()):
            middle = (low + high) // 2
            is_less = (low < high) & (ops.take(self.keys, middle) < hashes)
            low, high = ops.where(is_less, middle + 1, low), ops.where(is_less, high, middle)
        return low, ops.equal(ops.take(self.keys, low), hashes)

    def call(self, inputs: Tensor, training: bool | None = False) -> Tensor:
        rows, is_known = self.lookup(self.hash(inputs))
        weights = ops.cast(is_known, self.compute_dtype)
        if training and self.dropout:
            random = keras.random.uniform(ops.shape(rows), seed=self.seed_generator)
            weights = ops.where(random < self.dropout, 0, weights / (1 - self.dropout))
        vectors = ops.take(self.table, rows, axis=0)
        return ops.squeeze(ops.matmul(weights[:, :, None, :], vectors), 2)

    def named_weights(self, tokens: AxisNames, tags: AxisNames | None = None) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by features, and by tags if given.

        Args:
            tokens: Tokens in the order of their ids.
            tags: Tags in the order of their ids, if `output_dim` is their number.
        """
        features = AxisNames("template features", self.keys.tolist())
        return [NamedWeight(self.table, (features, tags))]

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.output_dim)

    def compute_output_spec(
        self, inputs: Tensor, training: bool | None = False
    ) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.compute_dtype)

    def get_config(self) -> Config:
        return {
            **super().get_config(),
            "keys": self.keys.tolist(),
            "output_dim": self.output_dim,
            "templates": self.templates,
            "dropout": self.dropout,
            "embeddings_initializer": keras.initializers.serialize(self.embeddings_initializer),
            "seed": self.seed,
        }


def parse_template(template: str) -> list[Part]:
    """Return the parts of a template.

    >>> parse_template("lower[-1] suffix2[0]")
    [Part(attribute='lower', step=-1), Part(attribute='suffix2', step=0)]

    Args:
        template: Template, see `TemplateFeatures`.

    Raises:
        InputError: If it is empty, or a part is not an attribute with a step.
    """
    if template.strip() == "bias":
        return []
    parts = []
    for text in template.split():
        match = re.fullmatch(r"(\w+)\[([+-]?\d+)\]", text)
        if match is None:
            raise InputError(
                f"The template {template!r} has the part {text!r}; write an attribute and a step, "
                "such as lower[-1]."
            )
        if match[1] not in ATTRIBUTES:
            raise unknown_name(f"attribute of the template {template!r}", match[1], ATTRIBUTES)
        parts.append(Part(match[1], int(match[2])))
    if not parts:
        raise InputError('A template of TemplateFeatures is empty; write "bias" or parts.')
    return parts


def _batches(sentences: Iterable[Sequence[str]], max_characters: int) -> Iterator[Array]:
    """Yield the code points of sentences of similar lengths."""
    ordered = sorted(sentences, key=len)
    for start in range(0, len(ordered), 256):
        batch = ordered[start : start + 256]
        # One of a few lengths, so that few programs are compiled.
        length = max(8, 1 << (len(batch[-1]) - 1).bit_length())
        yield token_code_points(batch, max_characters, length)


def _multiplier(template: int, place: int) -> int:
    """Return an odd number below 2 ** 31 that differs for each part of each template."""
    rng = np.random.default_rng([template, place])
    return int(rng.integers(2**20, 2**30) * 2 + 1)
