"""Base class of the models."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_seq._internal import keras_compat
from keras_seq._internal.buckets import bucket_by_length
from keras_seq._internal.errors import check_list
from keras_seq._internal.ranges import Range
from keras_seq._internal.serialization import serialize_nested
from keras_seq.batching import EncodedDataset
from keras_seq.layers.named_weights import NamedWeight
from keras_seq.models.any_length import AnyLengthModel

MIN_FULL_BATCHES = 16
"""Number of full batches from which `predict_by_length` pads smaller ones to the full size. A call
has few of them, and padding takes less time than compiling a program for each number of rows."""


class BaseModel(AnyLengthModel):
    """Functional `keras.Model` that is trained on raw examples, such as texts and their labels.

    The constructor of a subclass builds the network, passes its inputs and outputs to this class,
    and stores its arguments as attributes, listed in `config_attributes`. A subclass defines
    `encode`, `default_loss` and `trace_inputs`.

    `fit` and `evaluate` accept raw examples and targets; a result of `encode`; its `inputs` and
    `targets`; or a `tf.data.Dataset` of batches of these two.
    """

    config_attributes: tuple[str, ...] = ()
    """Names of the constructor's arguments, except `name`, which are also attributes."""

    def encode(self, examples: Any, targets: Any = None) -> EncodedDataset:
        """Convert raw examples to arrays for the network.

        Args:
            examples: List of raw inputs.
            targets: List of raw targets, one per example, or None.

        Raises:
            InputError: If an example is invalid. The message gives its number, from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has no encode().")

    def default_loss(self) -> Any:
        """Return the loss of `compile(loss="auto")`."""
        raise NotImplementedError(f"{type(self).__name__} has no default_loss().")

    def default_metrics(self) -> Any:
        """Return the metrics of `compile(metrics="auto")`; none by default."""
        return None

    def trace_inputs(self, example: Any, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one example, and a label for each time step.

        Args:
            example: Raw input.
            target: Raw target, or None. Only models with a decoder use it.

        Returns:
            Inputs (a batch of one) and the labels.
        """
        raise NotImplementedError(f"{type(self).__name__} has no trace_inputs().")

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by tokens or labels, with their names.

        `keras_seq.models.weight_copy.copy_weights` copies these by name, and all others as a whole.
        """
        return []

    # Training.

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = "auto",
        loss_weights: Any = None,
        metrics: Any = "auto",
        weighted_metrics: Any = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Set optimizer, loss and metrics, as `keras.Model.compile` does.

        Args:
            optimizer: Name or instance of an optimizer.
            loss: As in Keras, or "auto" for the model's own loss.
            loss_weights: As in Keras.
            metrics: As in Keras, or "auto" for the model's own metrics.
            weighted_metrics: As in Keras.
            run_eagerly: As in Keras.
            steps_per_execution: As in Keras.
            jit_compile: As in Keras.
            auto_scale_loss: As in Keras.

        Raises:
            InputError: If the learning rate is negative, infinite or NaN.
        """
        _check_learning_rate(optimizer)
        automatic = {"loss": self.default_loss, "metrics": self.default_metrics}
        requested = {"loss": loss, "metrics": metrics}
        self._automatic = [name for name, value in requested.items() if _is_auto(value)]
        requested |= {name: automatic[name]() for name in self._automatic}
        super().compile(
            optimizer=optimizer,
            loss=requested["loss"],
            loss_weights=loss_weights,
            metrics=requested["metrics"],
            weighted_metrics=weighted_metrics,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
            auto_scale_loss=auto_scale_loss,
        )

    def get_compile_config(self) -> dict[str, Any]:
        """Return the arguments of `compile`, for `compile_from_config`."""
        config = super().get_compile_config()
        # The loss may belong to a layer: a loaded model must create its own.
        return {**config, **dict.fromkeys(self._automatic, "auto")} if config else config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile a loaded model like the saved one.

        Args:
            config: Result of `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: Any = "auto",
        callbacks: Any = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: Any = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> keras.callbacks.History:
        """Train on raw examples or on arrays, as `keras.Model.fit` does.

        Args:
            x: List of raw examples, a result of `encode`, or `x` of `keras.Model.fit`.
            y: List of raw targets, or `y` of `keras.Model.fit`.
            batch_size: As in Keras.
            epochs: As in Keras.
            verbose: As in Keras.
            callbacks: As in Keras.
            validation_split: As in Keras.
            validation_data: A result of `encode`, or a tuple `(x, y)` or `(x, y, sample_weight)`,
                where `x` and `y` are as above.
            shuffle: As in Keras.
            class_weight: As in Keras.
            sample_weight: As in Keras.
            initial_epoch: As in Keras.
            steps_per_epoch: As in Keras.
            validation_steps: As in Keras.
            validation_batch_size: As in Keras.
            validation_freq: As in Keras.

        Raises:
            InputError: If an example is invalid; the message gives its number, from 1. Also if a
                number is out of its range.
        """
        for name, value in {"batch_size": batch_size, "steps_per_epoch": steps_per_epoch}.items():
            if value is not None:
                Range(1, is_integer=True).check(f"fit: `{name}`", value)
        Range(0, is_integer=True).check("fit: `epochs`", epochs)
        Range(0, below=1).check("fit: `validation_split`", validation_split)
        if isinstance(x, EncodedDataset) and sample_weight is None:
            sample_weight = x.weights
        x, y = self._encoded(x, y)
        if isinstance(validation_data, EncodedDataset):
            validation = validation_data
            validation_data = validation.inputs, validation.targets, validation.weights
        elif isinstance(validation_data, tuple):
            rest = validation_data[2:]
            validation_data = (*self._encoded(*(*validation_data, None)[:2]), *rest)
        keras_compat.build_for_fit(self, x, y)
        return super().fit(
            x=x,
            y=y,
            batch_size=batch_size,
            epochs=epochs,
            verbose=verbose,
            callbacks=callbacks,
            validation_split=validation_split,
            validation_data=validation_data,
            shuffle=shuffle,
            class_weight=class_weight,
            sample_weight=sample_weight,
            initial_epoch=initial_epoch,
            steps_per_epoch=steps_per_epoch,
            validation_steps=validation_steps,
            validation_batch_size=validation_batch_size,
            validation_freq=validation_freq,
        )

    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: Any = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
        **kwargs: Any,
    ) -> Any:
        """Return loss and metrics on raw examples or arrays, as `keras.Model.evaluate` does.

        Args:
            x: List of raw examples, a result of `encode`, or `x` of `keras.Model.evaluate`.
            y: List of raw targets, or `y` of `keras.Model.evaluate`.
            batch_size: As in Keras.
            verbose: As in Keras.
            sample_weight: As in Keras.
            steps: As in Keras.
            callbacks: As in Keras.
            return_dict: As in Keras.
            **kwargs: Private arguments, which Keras passes in `fit`.

        Raises:
            InputError: If an example is invalid. The message gives its number, from 1.
        """
        if isinstance(x, EncodedDataset) and sample_weight is None:
            sample_weight = x.weights
        x, y = self._encoded(x, y)
        return super().evaluate(
            x=x,
            y=y,
            batch_size=batch_size,
            verbose=verbose,
            sample_weight=sample_weight,
            steps=steps,
            callbacks=callbacks,
            return_dict=return_dict,
            **kwargs,
        )

    def _encoded(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return inputs and targets of the network, encoded if `x` is raw."""
        check_list(x, "examples")
        if not isinstance(x, EncodedDataset):
            if not self._is_raw(x):
                return x, y
            x = self.encode(x, y)
        return x.inputs, x.targets

    def _is_raw(self, x: Any) -> bool:
        """Return whether inputs are raw examples rather than arrays for the network."""
        # A network with a dict of inputs takes no single array. An array then holds raw examples of
        # equal shape, such as clips.
        if isinstance(x, np.ndarray):
            return x.dtype.kind in "OSU" or isinstance(self.input, dict)
        return isinstance(x, (list, tuple))

    # Prediction.

    def predict_by_length(
        self,
        dataset: EncodedDataset,
        batch_size: int,
        function: Callable[[Any], Any] | None = None,
    ) -> Iterator[tuple[list[int], Any]]:
        """Run the network on batches of examples of similar length.

        Batches are padded to one of a few lengths, which limits the number of compiled programs. If
        there are many batches, all have the same number of rows.

        Args:
            dataset: Encoded examples, with their lengths.
            batch_size: Largest number of examples per batch.
            function: Function from inputs to a nested structure of arrays. Default:
                `predict_on_batch`.

        Yields:
            Indices of the examples of a batch, and its nested structure of arrays.
        """
        function = self.predict_on_batch if function is None else function
        num_rows = batch_size if len(dataset) >= MIN_FULL_BATCHES * batch_size else None
        for rows, length in bucket_by_length(dataset.lengths, batch_size):
            outputs = function(dataset.pad_batch(rows, length, num_rows)[0])
            yield rows, keras.tree.map_structure(operator.itemgetter(slice(len(rows))), outputs)

    # Configuration.

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments, with layers and other objects serialized."""
        names = self.config_attributes
        return {"name": self.name, **{n: serialize_nested(getattr(self, n)) for n in names}}

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Create a model from its configuration.

        Args:
            config: Result of `get_config`.
            custom_objects: As in Keras.
        """
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"


def _check_learning_rate(optimizer: Any) -> None:
    if isinstance(optimizer, keras.optimizers.Optimizer):
        learning_rate = optimizer.get_config()["learning_rate"]
        if isinstance(learning_rate, float):  # not a schedule
            Range(0).check("The learning rate", learning_rate)
