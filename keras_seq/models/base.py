"""What all models of this package do in the same way."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from keras_seq.batching import EncodedDataset, by_length


class BaseModel(keras.Model):
    """Functional `keras.Model` that is trained on raw examples, such as texts and their labels.

    A subclass builds its network in its constructor and hands inputs and outputs on to this one. It
    defines `encode` and `default_loss`, and writes out `get_config`.

    `fit` and `evaluate` take what `encode` takes, or its result's `inputs` and `targets`, or a
    `tf.data.Dataset` of such pairs.
    """

    def encode(self, examples: Any, targets: Any = None) -> EncodedDataset:
        """Return raw examples as arrays that the network takes.

        Args:
            examples: List of raw inputs.
            targets: List of raw targets, one per example, or None.

        Raises:
            InputError: If an example is not valid. The message gives its number from 1.
        """
        raise NotImplementedError(f"{type(self).__name__} has no encode().")

    def default_loss(self) -> Any:
        """Return the loss that `compile(loss="auto")` takes."""
        raise NotImplementedError(f"{type(self).__name__} has no default_loss().")

    def default_metrics(self) -> Any:
        """Return the metrics that `compile(metrics="auto")` takes; none by default."""
        return None

    def compile(
        self,
        optimizer: Any = "adam",
        loss: Any = "auto",
        *,
        metrics: Any = "auto",
        **kwargs: Any,
    ) -> None:
        """Choose optimizer, loss and metrics, as `keras.Model.compile` does.

        Args:
            optimizer: Name or instance of an optimizer.
            loss: As in Keras, or "auto" for the model's own loss.
            metrics: As in Keras, or "auto" for those of the model.
            kwargs: Further arguments of `keras.Model.compile`.
        """
        loss = self.default_loss() if isinstance(loss, str) and loss == "auto" else loss
        if isinstance(metrics, str) and metrics == "auto":
            metrics = self.default_metrics()
        super().compile(optimizer=optimizer, loss=loss, metrics=metrics, **kwargs)

    def compile_from_config(self, config: dict[str, Any]) -> None:
        """Compile as the saved model was.

        Args:
            config: Result of `get_compile_config`.
        """
        self.compile(**keras.saving.deserialize_keras_object(config))
        if self.built:
            self.optimizer.build(self.trainable_variables)

    def fit(
        self, x: Any = None, y: Any = None, *, validation_data: Any = None, **kwargs: Any
    ) -> Any:
        """Train as `keras.Model.fit` does, on raw examples or on arrays.

        Args:
            x: List of raw examples, or what `keras.Model.fit` takes.
            y: List of raw targets, or what `keras.Model.fit` takes.
            validation_data: None, or a pair of such `x` and `y`.
            kwargs: Further arguments of `keras.Model.fit`.

        Raises:
            InputError: If an example is not valid. The message gives its number from 1.
        """
        x, y = self._encoded(x, y)
        if isinstance(validation_data, tuple) and self._is_raw(validation_data[0]):
            validation_data = (*self._encoded(*validation_data[:2]), *validation_data[2:])
        return super().fit(x, y, validation_data=validation_data, **kwargs)

    def evaluate(self, x: Any = None, y: Any = None, **kwargs: Any) -> Any:
        """Return loss and metrics as `keras.Model.evaluate` does, of raw examples or of arrays.

        Args:
            x: List of raw examples, or what `keras.Model.evaluate` takes.
            y: List of raw targets, or what `keras.Model.evaluate` takes.
            kwargs: Further arguments of `keras.Model.evaluate`.

        Raises:
            InputError: If an example is not valid. The message gives its number from 1.
        """
        return super().evaluate(*self._encoded(x, y), **kwargs)

    def _encoded(self, x: Any, y: Any) -> tuple[Any, Any]:
        """Return inputs and targets of the network for raw examples; others as they are."""
        if not self._is_raw(x):
            return x, y
        dataset = self.encode(x, y)
        return dataset.inputs, dataset.targets

    def _is_raw(self, x: Any) -> bool:
        """Return whether inputs are raw examples: a list, or an array where the network takes none.

        A network with several inputs takes a dict, so that an array can only be raw examples of one
        shape, such as clips.
        """
        if isinstance(x, np.ndarray):
            return x.dtype.kind in "OSU" or isinstance(self.input, dict)
        return isinstance(x, (list, tuple))

    def predict_by_length(
        self,
        dataset: EncodedDataset,
        batch_size: int,
        function: Callable[[Any], Any] | None = None,
    ) -> Iterator[tuple[list[int], Any]]:
        """Run the network on batches of examples of similar length.

        Batches are padded to one of few shapes, so that little is compiled for them.

        Args:
            dataset: Encoded examples, with their lengths.
            batch_size: Number of examples per batch, at most.
            function: Function from inputs to a nest of arrays; `predict_on_batch` by default.

        Yields:
            Numbers of the examples of a batch, and a nest of arrays with as many rows.
        """
        function = self.predict_on_batch if function is None else function
        for rows, length in by_length(dataset.lengths, batch_size):
            outputs = function(dataset.pad_batch(rows, length)[0])
            yield rows, keras.tree.map_structure(operator.itemgetter(slice(len(rows))), outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments; parts such as layers are serialized."""
        raise NotImplementedError(f"{type(self).__name__} has no get_config().")

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Any:
        """Return a new model of a configuration.

        Args:
            config: Result of `get_config`.
            custom_objects: Name to class, as in Keras.
        """
        return cls(**keras.saving.deserialize_keras_object(config, custom_objects=custom_objects))
