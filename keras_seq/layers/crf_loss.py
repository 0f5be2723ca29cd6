"""Loss and metric of a conditional random field."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import keras
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.keras_compat import objects_being_loaded, scale_loss_for_distribution
from keras_seq._internal.types import ArrayLike, Config, Tensor
from keras_seq.scan import linear_chain

if TYPE_CHECKING:
    from keras_seq.layers.crf import CRF

LOADED = "keras_seq.layers.CRF"
"""Prefix of the keys `(LOADED, name)` under which a model that is being loaded lists its layers."""


def register_loaded(crf: CRF) -> None:
    """Register a layer of a model that is being loaded, for its loss and metric."""
    loaded = objects_being_loaded()
    if loaded is not None:
        loaded.setdefault((LOADED, crf.name), []).append(crf)


class _BoundToCRF:
    """Mixin of the loss and the metric of a CRF layer, which a loaded model finds by its name."""

    name: str
    kind: str
    """Attribute of the layer that returns the object: "loss" or "accuracy"."""

    def bind(self, crf: CRF | str) -> None:
        """Set the layer, or its name if the layer is unknown."""
        # A function hides the layer from Keras, which would save its weights twice.
        self._crf = lambda: crf

    def get_crf(self) -> CRF:
        """Return the layer.

        Raises:
            InputError: If it is not known.
        """
        crf = self._crf()
        if isinstance(crf, str):
            raise InputError(
                f"This {type(self).__name__} was loaded without its CRF layer {crf!r}, or with "
                "several layers of that name: compile the model again with the layer's "
                f"`{self.kind}`."
            )
        return crf

    def get_config(self) -> Config:
        crf = self._crf()
        return {"crf": crf if isinstance(crf, str) else crf.name, "name": self.name}

    @classmethod
    def from_config(cls, config: Config) -> Self:
        # Keras has loaded all layers of a model when it compiles the model.
        layers = (objects_being_loaded() or {}).get((LOADED, config["crf"]), [])
        crf = layers[0] if len(layers) == 1 else config["crf"]
        return cls(crf, name=config["name"])  # type: ignore[call-arg]


@keras.saving.register_keras_serializable(package="keras_seq")
class CRFLoss(_BoundToCRF, keras.losses.Loss):
    """Negative log-likelihood of tags, the mean over sequences; see `CRF.loss`.

    Args:
        crf: The layer, or its name.
        name: Name of the loss.

    Call arguments:
        y_true: Ids of tags `(batch, timesteps)`.
        y_pred: The layer's output `(batch, timesteps, units)`.
        sample_weight: Weights of the sequences, `(batch,)`.

    Raises:
        InputError: If `sample_weight` does not have that shape, or a sequence of tags is out of
            range or invalid in the scheme of the layer. For the tags see `CRF.log_likelihood` and
            `CRF.check_path`.
    """

    kind = "loss"

    def __init__(self, crf: CRF | str, name: str = "crf_loss") -> None:
        super().__init__(name=name)
        self.bind(crf)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        crf = self.get_crf()
        for accuracy in crf.accuracies:
            accuracy.sync(crf.potentials)
        log_likelihood = crf.log_likelihood(y_pred, y_true)
        crf.check_path(y_pred, y_true)
        return -log_likelihood

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None
    ) -> Tensor:
        # Keras would apply the mask `(batch, timesteps)` to the losses `(batch,)`.
        losses = self.call(y_true, y_pred)
        if sample_weight is None:
            return scale_loss_for_distribution(ops.mean(losses))
        sample_weight = ops.cast(sample_weight, losses.dtype)
        if len(sample_weight.shape) > 1 and sample_weight.shape[1:] != (1,):
            raise InputError(
                "A CRF scores whole sequences: sample_weight must be (batch,), got shape "
                f"{tuple(sample_weight.shape)}; use a mask for padding."
            )
        weighted = losses * ops.reshape(sample_weight, (-1,))
        return scale_loss_for_distribution(ops.mean(weighted))


@keras.saving.register_keras_serializable(package="keras_seq")
class CRFAccuracy(_BoundToCRF, keras.metrics.Mean):
    """Fraction of the unmasked time steps whose decoded tag is right; see `CRF.accuracy`.

    Args:
        crf: The layer, or its name.
        name: Name of the metric.
        dtype: Data type of its variables.
    """

    kind = "accuracy"

    def __init__(self, crf: CRF | str, name: str = "accuracy", dtype: str | None = None) -> None:
        super().__init__(name=name, dtype=dtype)
        self.bind(crf)
        self._potentials: list[Any] | None = None
        if keras.backend.backend() == "jax" and not isinstance(crf, str):
            # In JAX's train step a metric can read only its own variables. The loss copies the
            # potentials to them; until then they are NaN.
            self._potentials = [
                self.add_variable(shape, keras.initializers.Constant(float("nan")))
                for shape in ((crf.units, crf.units), (crf.units,), (crf.units,))
            ]
            crf.accuracies.add(self)

    def sync(self, potentials: list[Tensor]) -> None:
        """Copy the potentials of the layer to the metric's own variables.

        Args:
            potentials: As `CRF.potentials`.
        """
        for variable, value in zip(self._potentials or [], potentials):
            variable.assign(ops.stop_gradient(value))

    def update_state(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: ArrayLike | None = None
    ) -> None:
        crf = self.get_crf()
        scores, mask = crf.unmask(y_pred)
        if self._potentials is None:
            potentials = crf.potentials
        else:  # the weights of the layer cannot be read here
            potentials = [ops.convert_to_tensor(variable) for variable in self._potentials]
        tags, best_score = linear_chain.viterbi(scores, potentials, mask)
        is_right = ops.cast(tags == ops.cast(y_true, "int32"), self.dtype)
        is_right = ops.where(ops.isnan(best_score)[:, None], float("nan"), is_right)
        weight = ops.cast(mask, self.dtype)
        if sample_weight is not None:
            weight = weight * ops.reshape(ops.cast(sample_weight, self.dtype), (-1, 1))
        super().update_state(is_right, sample_weight=weight)

    def reset_state(self) -> None:
        self.total.assign(0)
        self.count.assign(0)
