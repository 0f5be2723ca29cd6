"""Linear-chain conditional random field."""

import weakref
from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError, excerpt
from keras_seq._internal.export_target import export_target
from keras_seq._internal.float64 import matmul
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import ArrayLike, Config, Initializer, Shape, Tensor
from keras_seq._internal.value_checks import check_valid
from keras_seq.layers.crf_loss import CRFAccuracy, CRFLoss, register_loaded
from keras_seq.layers.named_weights import AxisNames, NamedWeight
from keras_seq.scan import linear_chain
from keras_seq.scan.padding import zero_masked
from keras_seq.text.tag_schemes import allowed_transitions


@keras.saving.register_keras_serializable(package="keras_seq")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field (CRF), the last layer of a sequence tagger.

    It computes a score for each tag at each time step, as a dense layer does, and learns scores of
    transitions between tags (Lafferty, McCallum & Pereira 2001). For a CRF on top of recurrent
    layers see Huang, Xu & Yu (2015) and Lample et al. (2016).

    >>> import numpy as np
    >>> from keras_seq.layers import CRF
    >>> crf = CRF(3)
    >>> scores = crf(np.random.default_rng(0).normal(size=(2, 5, 4)))
    >>> tags, score = crf.decode(scores)
    >>> tuple(tags.shape), tuple(score.shape)
    ((2, 5), (2,))

    In a model, with the layer's own loss and metric:

        model = keras.Sequential([..., layers.LSTM(64, return_sequences=True), crf])
        model.compile("adam", loss=crf.loss, metrics=[crf.accuracy])
        model.fit(x, tags)
        tags, score = crf.decode(model.predict(x))

    Scores of masked time steps are minus infinity. `decode` and the loss recover the mask from
    them, so the output of `predict` needs no separate mask.

    Args:
        units: Number of tags.
        use_kernel: Whether to project the inputs to scores by a dense layer. If not, the inputs are
            the scores.
        use_transitions: Whether to learn the scores of transitions, start and end. If not, they are
            0, which is a softmax at each time step, restricted to valid sequences of `tags`.
        tags: Names of the tags in the order of their ids, such as "O", "B-PER", "I-PER". If given,
            sequences that are invalid in `scheme` have probability 0. Default: all are valid.
        scheme: Scheme of `tags`: "IOB1", "IOB2" or "IOBES".
        kernel_initializer: Initializer of the projection.
        bias_initializer: Initializer of the bias of the projection.
        transitions_initializer: Initializer of transitions, start and end.
        kernel_regularizer: Regularizer of the projection, as in `keras.layers.Dense`.
        transitions_regularizer: Regularizer of transitions, start and end.

    Call arguments:
        inputs: `(batch, timesteps, features)`.
        mask: Bools `(batch, timesteps)`, False for padding. Default: the Keras mask of the inputs.

    Returns:
        Scores, float32 `(batch, timesteps, units)`, also in mixed precision.

    Weights: with `use_kernel`, `kernel` `(features, units)` and `bias` `(units,)`; `transitions`
    `(units, units)`, from tag to next tag; `start` `(units,)`; `end` `(units,)`.

    Raises:
        InputError: If an argument has a wrong value.
    """

    def __init__(
        self,
        units: PositiveInt,
        use_kernel: bool = True,
        use_transitions: bool = True,
        tags: Sequence[str] | None = None,
        scheme: str = "IOB2",
        kernel_initializer: Initializer = "glorot_uniform",
        bias_initializer: Initializer = "zeros",
        transitions_initializer: Initializer = "zeros",
        kernel_regularizer: Any = None,
        transitions_regularizer: Any = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(CRF, locals())
        super().__init__(**kwargs)
        if tags is not None and len(tags) != units:
            raise InputError(f"CRF({units}) needs one tag per unit, got {len(tags)} tags.")
        self.units, self.use_kernel, self.scheme = units, use_kernel, scheme
        self.use_transitions = use_transitions
        self.tags = None if tags is None else list(tags)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.transitions_initializer = keras.initializers.get(transitions_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.transitions_regularizer = keras.regularizers.get(transitions_regularizer)
        self.allowed = None if self.tags is None else allowed_transitions(self.tags, scheme)
        self.supports_masking = True
        self.accuracies: weakref.WeakSet[CRFAccuracy] = weakref.WeakSet()
        register_loaded(self)

    def build(self, input_shape: Shape) -> None:
        features = input_shape[-1]
        if self.use_kernel:
            self.kernel = self.add_weight(
                shape=(features, self.units),
                name="kernel",
                initializer=self.kernel_initializer,
                regularizer=self.kernel_regularizer,
            )
            self.bias = self.add_weight(
                shape=(self.units,), name="bias", initializer=self.bias_initializer
            )
        elif features != self.units:
            raise InputError(
                f"CRF({self.units}, use_kernel=False) takes {self.units} scores per time step, "
                f"got {features} features."
            )
        self.transitions = self._add_potential("transitions", (self.units, self.units))
        self.start = self._add_potential("start", (self.units,))
        self.end = self._add_potential("end", (self.units,))

    def _add_potential(self, name: str, shape: Shape) -> keras.Variable:
        learned = self.use_transitions
        return self.add_weight(
            shape=shape,
            name=name,
            # A random initializer returns the same numbers twice unless it is cloned.
            initializer=self.transitions_initializer.clone() if learned else "zeros",
            regularizer=self.transitions_regularizer if learned else None,
            trainable=learned,
        )

    def call(self, inputs: Tensor, mask: Tensor | None = None) -> Tensor:
        scores = inputs if mask is None else zero_masked(inputs, mask)
        if self.use_kernel:
            scores = self._project(scores) + self.bias
        scores = ops.cast(scores, self.variable_dtype)
        if mask is None:
            return scores
        return ops.where(mask[:, :, None], scores, float("-inf"))

    def _project(self, inputs: Tensor) -> Tensor:
        """Return the product of inputs `(batch, timesteps, features)` and the kernel."""
        if export_target() == "savedmodel":  # one product takes less time than one per row
            batch, timesteps, features = ops.shape(inputs)
            product = ops.matmul(ops.reshape(inputs, (-1, features)), self.kernel)
            return ops.reshape(product, (batch, timesteps, self.units))
        # Without the batch axis of the kernel Keras would use the slower `tensordot`.
        return matmul(inputs, self.kernel[None])

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (*input_shape[:-1], self.units)

    def named_weights(self, tags: AxisNames) -> list[NamedWeight]:
        """Return the weights, all of whose axes except that of the features are indexed by tags.

        Args:
            tags: Tags in the order of their ids.
        """
        weights = [NamedWeight(self.transitions, (tags, tags))]
        weights += [NamedWeight(potential, (tags,)) for potential in (self.start, self.end)]
        if self.use_kernel:
            weights += [NamedWeight(self.kernel, (None, tags)), NamedWeight(self.bias, (tags,))]
        return weights

    def compute_output_spec(self, inputs: Tensor, mask: Tensor | None = None) -> keras.KerasTensor:
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.variable_dtype)

    def log_likelihood(
        self, scores: ArrayLike, tags: ArrayLike, mask: ArrayLike | None = None
    ) -> Tensor:
        """Return the log-probability of tags, `(batch,)`.

        It is 0 for a sequence that is masked as a whole, and minus infinity for tags that are
        invalid in the scheme. It is differentiable to any order.

        Args:
            scores: The layer's output, `(batch, timesteps, units)`.
            tags: Ids `(batch, timesteps)`, of any value where masked.
            mask: Bools `(batch, timesteps)`. Default: the mask that the scores contain.

        Raises:
            InputError: If scores or tags have a wrong shape, or an unmasked tag is out of range. In
                a graph, the backend raises an error with the same message for a tag. With
                `jit_compile=True` on TensorFlow, the result is NaN.
        """
        scores, mask = self.unmask(scores, mask)
        tags = ops.convert_to_tensor(tags)
        if len(tags.shape) != 2:
            raise InputError(
                f"A CRF takes tags as integers (batch, timesteps), got shape {tuple(tags.shape)}."
            )
        check_valid(
            ops.logical_not(mask) | ((tags >= 0) & (tags < self.units)),
            tags,
            f"CRF({self.units}) takes tags from 0 to {self.units - 1}, got {{}} in row {{}} of the "
            "batch, step {}; steps that have no tag must be masked.",
        )
        return linear_chain.log_likelihood(scores, self.potentials, mask, tags)

    def check_path(self, scores: ArrayLike, tags: ArrayLike, mask: ArrayLike | None = None) -> None:
        """Check that sequences of tags are valid in the scheme, if the layer has `tags`.

        Args:
            scores: As in `log_likelihood`.
            tags: As in `log_likelihood`.
            mask: As in `log_likelihood`.

        Raises:
            InputError: If a sequence is invalid. In a graph, the backend raises an error with the
                same message. Programs of `jit_compile=True` on TensorFlow contain no check.
        """
        if self.allowed is None:
            return
        _, mask = self.unmask(scores, mask)
        ids = ops.clip(ops.cast(tags, "int32"), 0, self.units - 1)
        count = ops.cumsum(ops.cast(mask, "int32"), axis=1)
        is_first, is_last = count == 1, count == count[:, -1:]
        follows = ops.cast(ops.pad(ops.cast(mask[:, :-1], "int32"), [[0, 0], [1, 0]]), "bool")
        previous = ops.pad(ids[:, :-1], [[0, 0], [1, 0]])
        between, first, last = (ops.convert_to_tensor(allowed) for allowed in self.allowed)
        is_valid = ops.take(ops.reshape(between, (-1,)), previous * self.units + ids)
        is_valid = ops.logical_not(follows) | is_valid
        is_valid &= ops.logical_not(is_first) | ops.take(first, ids)
        is_valid &= ops.logical_not(is_last) | ops.take(last, ids)
        names = ", ".join(f"{number} {tag}" for number, tag in enumerate(self.tags or ()))
        check_valid(
            is_valid | ops.logical_not(mask),
            ids,
            f"Tag {{}} in row {{}} of the batch, step {{}}, is invalid in the scheme {self.scheme} "
            "after the tag before it or at the end, so that the loss is infinite. Convert the tags "
            "with keras_seq.text.tag_schemes.convert_tags. Ids of tags: "
            f"{excerpt(names, 200)}.",
        )

    def decode(self, scores: ArrayLike, mask: ArrayLike | None = None) -> tuple[Tensor, Tensor]:
        """Return the most likely tags (Viterbi algorithm).

        Args:
            scores: As in `log_likelihood`.
            mask: As in `log_likelihood`.

        Returns:
            Ids of the tags, int32 `(batch, timesteps)`, 0 where masked; and their score `(batch,)`,
            the sum over tags, transitions, start and end.
        """
        scores, mask = self.unmask(scores, mask)
        return linear_chain.viterbi(scores, self.potentials, mask)

    def marginals(self, scores: ArrayLike, mask: ArrayLike | None = None) -> Tensor:
        """Return the probability of each tag, `(batch, timesteps, units)`, 0 where masked.

        Args:
            scores: As in `log_likelihood`.
            mask: As in `log_likelihood`.
        """
        scores, mask = self.unmask(scores, mask)
        return linear_chain.marginals(scores, self.potentials, mask)

    def decode_with_marginals(
        self, scores: ArrayLike, mask: ArrayLike | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return the tags of `decode`, and `marginals`; exported models compute both in one loop.

        Args:
            scores: As in `log_likelihood`.
            mask: As in `log_likelihood`.
        """
        scores, mask = self.unmask(scores, mask)
        return linear_chain.viterbi_and_marginals(scores, self.potentials, mask)

    @property
    def potentials(self) -> list[Tensor]:
        """Transitions, start and end, minus infinity where the scheme forbids them."""
        weights = [ops.convert_to_tensor(w) for w in (self.transitions, self.start, self.end)]
        if self.allowed is None:
            return weights
        return [ops.where(ok, w, float("-inf")) for ok, w in zip(self.allowed, weights)]

    @property
    def loss(self) -> CRFLoss:
        """Negative log-likelihood of the tags, the mean over sequences, for `compile`."""
        return CRFLoss(self)

    @property
    def accuracy(self) -> CRFAccuracy:
        """Fraction of the unmasked time steps whose decoded tag is right, for `compile`."""
        return CRFAccuracy(self)

    def unmask(self, scores: ArrayLike, mask: ArrayLike | None = None) -> tuple[Tensor, Tensor]:
        """Return finite scores `(batch, timesteps, units)`, and the mask `(batch, timesteps)`.

        Args:
            scores: The layer's output.
            mask: Bools `(batch, timesteps)`, in addition to the mask that the scores contain.

        Raises:
            InputError: If the scores have a wrong shape.
        """
        scores = ops.cast(ops.convert_to_tensor(scores), self.variable_dtype)
        if len(scores.shape) != 3 or scores.shape[-1] != self.units:
            raise InputError(
                f"CRF({self.units}) takes scores (batch, timesteps, {self.units}), got shape "
                f"{tuple(scores.shape)}."
            )
        # A time step with NaN is not masked: the NaN must reach the result.
        is_unmasked = ops.any(ops.not_equal(scores, float("-inf")), axis=-1)
        if mask is not None:
            is_unmasked = is_unmasked & ops.cast(mask, "bool")
        return ops.where(is_unmasked[:, :, None], scores, 0), is_unmasked

    def get_config(self) -> Config:
        names = ("units", "use_kernel", "use_transitions", "tags", "scheme")
        initializers = ("kernel_initializer", "bias_initializer", "transitions_initializer")
        regularizers = ("kernel_regularizer", "transitions_regularizer")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            **{n: keras.initializers.serialize(getattr(self, n)) for n in initializers},
            **{n: keras.regularizers.serialize(getattr(self, n)) for n in regularizers},
        }
