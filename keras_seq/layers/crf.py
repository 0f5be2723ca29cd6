"""A conditional random field over a sequence: a layer, its loss, its metric."""

import weakref
from typing import Any

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.float64 import matmul
from keras_seq._internal.keras_compat import objects_being_loaded, scale_loss_for_distribution
from keras_seq._internal.value_checks import check_valid
from keras_seq.scan import linear_chain
from keras_seq.scan.padding import zero_masked
from keras_seq.text.tag_schemes import allowed_transitions


@keras.saving.register_keras_serializable(package="keras_seq")
class CRF(keras.layers.Layer):
    """Linear-chain conditional random field, the last layer of a model that tags sequences.

    It gives a score to each tag at each step, as a dense layer would, and learns how well tags
    follow each other (Lafferty, McCallum & Pereira 2001; over recurrent layers: Huang, Xu & Yu
    2015, Lample et al. 2016). Training and use:

        crf = layers.CRF(9)
        model = keras.Sequential([..., layers.LSTM(64, return_sequences=True), crf])
        model.compile("adam", loss=crf.loss, metrics=[crf.accuracy])
        model.fit(x, tags)
        tags, score = crf.decode(model.predict(x))

    The output is the scores, `(batch, timesteps, units)` in float32. Where the mask of the input
    is False they are minus infinity: no tag is possible there. So the padding is known wherever
    the scores go, through `predict` too, and counts nowhere.

    Args:
        units: Number of tags.
        use_kernel: Whether to project the inputs to the scores; if not, the inputs are the scores.
        use_transitions: Whether to learn transitions, start and end; if not, they are zero, and
            each tag is chosen by itself, as by a softmax, but for what the scheme forbids.
        tags: Names of the tags in the order of their numbers, such as "O", "B-PER", "I-PER".
            If given, transitions that the scheme makes impossible are never taken.
        scheme: What the names mean: "IOB2" or "IOBES".
        kernel_initializer, bias_initializer: Of the projection.
        transitions_initializer: Of transitions, start and end.
        kernel_regularizer, transitions_regularizer: As in `keras.layers.Dense`.

    Weights: `kernel` (features, units) and `bias` (units,), with `use_kernel`; `transitions`
    (units, units), from tag to tag; `start` (units,); `end` (units,).
    """

    def __init__(
        self,
        units,
        use_kernel=True,
        use_transitions=True,
        tags=None,
        scheme="IOB2",
        kernel_initializer="glorot_uniform",
        bias_initializer="zeros",
        transitions_initializer="zeros",
        kernel_regularizer=None,
        transitions_regularizer=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        if not isinstance(units, int) or units < 1:
            raise InputError(f"CRF takes a positive number of tags as units, got {units!r}.")
        if tags is not None and len(tags) != units:
            raise InputError(f"CRF({units}) got {len(tags)} tags; it needs one a unit.")
        self.units, self.use_kernel, self.scheme = units, use_kernel, scheme
        self.use_transitions = use_transitions
        self.tags = None if tags is None else list(tags)
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.transitions_initializer = keras.initializers.get(transitions_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.transitions_regularizer = keras.regularizers.get(transitions_regularizer)
        self.allowed = None if tags is None else allowed_transitions(self.tags, scheme)
        self.supports_masking = True
        self.accuracies = weakref.WeakSet()
        loaded = objects_being_loaded()
        if loaded is not None:
            loaded.setdefault((CRF, self.name), []).append(self)

    def build(self, input_shape):
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
                f"CRF({self.units}, use_kernel=False) takes {self.units} scores a step, "
                f"got {features} features."
            )
        learned = self.use_transitions
        for name, shape in (
            ("transitions", (self.units, self.units)),
            ("start", (self.units,)),
            ("end", (self.units,)),
        ):
            weight = self.add_weight(
                shape=shape,
                name=name,
                # Cloned, since one that draws would give all the same numbers.
                initializer=self.transitions_initializer.clone() if learned else "zeros",
                regularizer=self.transitions_regularizer if learned else None,
                trainable=learned,
            )
            setattr(self, name, weight)

    def call(self, inputs, mask=None):
        scores = inputs if mask is None else zero_masked(inputs, mask)
        if self.use_kernel:
            # A batch of one, since a matrix alone would be a `tensordot`, of a dozen operations.
            scores = matmul(scores, self.kernel[None]) + self.bias
        scores = ops.cast(scores, self.variable_dtype)
        if mask is None:
            return scores
        return ops.where(mask[:, :, None], scores, float("-inf"))

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], self.units)

    def compute_output_spec(self, inputs, mask=None):
        return keras.KerasTensor(self.compute_output_shape(inputs.shape), self.variable_dtype)

    def log_likelihood(self, scores, tags, mask=None):
        """The log probability of tags, `(batch,)`; 0 for a sequence that is masked as a whole.

        Minus infinity for a chain that the scheme makes impossible. It can be differentiated any
        number of times.

        Args:
            scores: The layer's output, `(batch, timesteps, units)`.
            tags: Integers `(batch, timesteps)`; where masked, they may be anything.
            mask: Bools `(batch, timesteps)`; if not given, it is known from the scores.

        Raises:
            InputError: If the shape of the scores or the tags is wrong, or a step that is not
                masked has a tag that does not exist. In a graph it is the backend's error, with
                the same sentence; under `jit_compile=True` on TensorFlow the result is NaN.
        """
        scores, mask = self.seen(scores, mask)
        tags = ops.convert_to_tensor(tags)
        if len(tags.shape) != 2:
            raise InputError(
                "A CRF takes tags as integers (batch, timesteps), one a step, got shape "
                f"{tuple(tags.shape)}."
            )
        check_valid(
            ops.logical_not(mask) | ((tags >= 0) & (tags < self.units)),
            tags,
            f"CRF({self.units}) takes tags from 0 to {self.units - 1}, got {{}} in row {{}} of the "
            "batch, step {}; steps that have no tag must be masked.",
        )
        return linear_chain.log_likelihood(scores, self.chain, mask, tags)

    def decode(self, scores, mask=None):
        """The most likely chain of tags, by the algorithm of Viterbi.

        Args:
            scores, mask: As in `log_likelihood`.

        Returns:
            Its tags `(batch, timesteps)`, int32, 0 where masked, and its score `(batch,)`: the
            sum of the scores of its tags and transitions, start and end included.
        """
        scores, mask = self.seen(scores, mask)
        return linear_chain.viterbi(scores, self.chain, mask)

    def marginals(self, scores, mask=None):
        """The probability of each tag at each step, `(batch, timesteps, units)`, 0 where masked.

        Args:
            scores, mask: As in `log_likelihood`.
        """
        scores, mask = self.seen(scores, mask)
        return linear_chain.marginals(scores, self.chain, mask)

    def decode_with_marginals(self, scores, mask=None):
        """The tags that `decode` gives, and `marginals`; in exported models in one pass over time.

        Args:
            scores, mask: As in `log_likelihood`.
        """
        scores, mask = self.seen(scores, mask)
        return linear_chain.viterbi_and_marginals(scores, self.chain, mask)

    @property
    def chain(self):
        """Transitions, start and end, minus infinity where the scheme forbids them."""
        weights = [ops.convert_to_tensor(w) for w in (self.transitions, self.start, self.end)]
        if self.allowed is None:
            return weights
        return [ops.where(ok, w, float("-inf")) for ok, w in zip(self.allowed, weights)]

    @property
    def loss(self):
        """For `compile`: the negative log likelihood of the tags, the mean over sequences."""
        return CRFLoss(self)

    @property
    def accuracy(self):
        """For `compile`: the share of steps, those masked left out, whose decoded tag is right."""
        return CRFAccuracy(self)

    def seen(self, scores, mask=None):
        """Scores that are finite everywhere, and the mask `(batch, timesteps)`."""
        scores = ops.cast(ops.convert_to_tensor(scores), self.variable_dtype)
        if len(scores.shape) != 3 or scores.shape[-1] != self.units:
            raise InputError(
                f"CRF({self.units}) takes scores (batch, timesteps, {self.units}), got shape "
                f"{tuple(scores.shape)}."
            )
        # NaN is no padding, and is to be seen in what is computed of it.
        possible = ops.any(ops.not_equal(scores, float("-inf")), axis=-1)
        if mask is not None:
            possible = possible & ops.cast(mask, "bool")
        return ops.where(possible[:, :, None], scores, 0), possible

    def get_config(self):
        names = ("units", "use_kernel", "use_transitions", "tags", "scheme")
        initializers = ("kernel_initializer", "bias_initializer", "transitions_initializer")
        regularizers = ("kernel_regularizer", "transitions_regularizer")
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in names},
            **{n: keras.initializers.serialize(getattr(self, n)) for n in initializers},
            **{n: keras.regularizers.serialize(getattr(self, n)) for n in regularizers},
        }


class _OfLayer:
    """Base of what belongs to a CRF layer, in a loaded model to the layer of that name there."""

    name: str

    def bind(self, crf: CRF | str) -> None:
        """Set the layer, or its name where the layer is not known."""
        # In a function, since Keras saves the weights of all layers that it finds in attributes.
        self._crf = lambda: crf

    def get_crf(self) -> CRF:
        """Return the layer.

        Raises:
            InputError: If it is not known.
        """
        crf = self._crf()
        if isinstance(crf, str):
            kind = "loss" if isinstance(self, CRFLoss) else "accuracy"
            raise InputError(
                f"This {type(self).__name__} was loaded without its CRF layer {crf!r}, or with "
                f"several layers of that name: compile the model again with the layer's `{kind}`."
            )
        return crf

    def get_config(self) -> dict[str, Any]:
        crf = self._crf()
        return {"crf": crf if isinstance(crf, str) else crf.name, "name": self.name}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        # Keras makes all layers of a model first, and compiles it in the same load.
        layers = (objects_being_loaded() or {}).get((CRF, config["crf"]), [])
        crf = layers[0] if len(layers) == 1 else config["crf"]
        return cls(crf, name=config["name"])  # type: ignore[call-arg]


@keras.saving.register_keras_serializable(package="keras_seq")
class CRFLoss(_OfLayer, keras.losses.Loss):
    """Negative log likelihood of tags `(batch, timesteps)`; made by `CRF.loss`."""

    def __init__(self, crf, name="crf_loss"):
        super().__init__(name=name)
        self.bind(crf)

    def call(self, y_true, y_pred):
        crf = self.get_crf()
        for accuracy in crf.accuracies:
            accuracy.follow(crf.chain)
        return -crf.log_likelihood(y_pred, y_true)

    def __call__(self, y_true, y_pred, sample_weight=None):
        # Keras's own would apply the mask of the steps to what is one number a sequence.
        losses = self.call(y_true, y_pred)
        if sample_weight is None:
            return scale_loss_for_distribution(ops.mean(losses))
        sample_weight = ops.cast(sample_weight, losses.dtype)
        if len(sample_weight.shape) > 1 and sample_weight.shape[1:] != (1,):
            raise InputError(
                "A CRF scores whole sequences: sample_weight must be (batch,), got shape "
                f"{tuple(sample_weight.shape)}; padding is told by a mask."
            )
        weighted = losses * ops.reshape(sample_weight, (-1,))
        return scale_loss_for_distribution(ops.mean(weighted))


@keras.saving.register_keras_serializable(package="keras_seq")
class CRFAccuracy(_OfLayer, keras.metrics.Mean):
    """Share of steps whose decoded tag is right; made by `CRF.accuracy`."""

    def __init__(self, crf, name="accuracy", dtype=None):
        super().__init__(name=name, dtype=dtype)
        self.bind(crf)
        self.copy = None
        if keras.backend.backend() == "jax" and isinstance(crf, CRF):
            # In JAX's train step a metric sees no weights but its own, so that the loss leaves it
            # a copy of the chain; until then there is nothing to decode with.
            self.copy = [
                self.add_variable(shape, keras.initializers.Constant(float("nan")))
                for shape in ((crf.units, crf.units), (crf.units,), (crf.units,))
            ]
            crf.accuracies.add(self)

    def follow(self, chain):
        """Takes over transitions, start and end."""
        for variable, value in zip(self.copy, chain):
            variable.assign(ops.stop_gradient(value))

    def update_state(self, y_true, y_pred, sample_weight=None):
        crf = self.get_crf()
        scores, mask = crf.seen(y_pred)
        chain = crf.chain if self.copy is None else [ops.convert_to_tensor(v) for v in self.copy]
        tags, best = linear_chain.viterbi(scores, chain, mask)
        right = ops.cast(tags == ops.cast(y_true, "int32"), self.dtype)
        right = ops.where(ops.isnan(best)[:, None], float("nan"), right)
        weight = ops.cast(mask, self.dtype)
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        super().update_state(right, sample_weight=weight)

    def reset_state(self):
        self.total.assign(0)
        self.count.assign(0)
