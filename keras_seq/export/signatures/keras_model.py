"""Export of any functional Keras model: one endpoint, `predict`."""

from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.export.checks import require_stateless
from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.tracing.hooks import free


class KerasModelAdapter(Adapter):
    """Adapter of a functional `keras.Model`; examples are its inputs, a batch."""

    def example_inputs(self) -> Any:
        """Refuse to make inputs.

        Raises:
            InputError: Always.
        """
        raise InputError(
            f"{self.model.name} has no endpoints(): it is no model of keras_seq.models, and needs "
            "examples, inputs to compare what is exported on."
        )

    def tensor_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return `predict`, from the model's inputs to its outputs by name.

        Args:
            examples: Inputs of the model, a batch.
        """
        import tensorflow as tf

        model = self.model
        require_stateless(model)
        inputs: list[str] = [i.name for i in model.inputs]
        names: list[str] = []
        for name in sorted(model.output) if isinstance(model.output, dict) else model.output_names:
            names.append(free(name, inputs + names))

        def predict(*arguments: Any) -> dict[str, Any]:
            outputs = model(keras.tree.pack_sequence_as(model.input, arguments), training=False)
            return dict(zip(names, keras.tree.flatten(outputs), strict=True))

        signature = [tf.TensorSpec(i.shape, i.dtype, i.name) for i in model.inputs]
        pairs = zip(keras.tree.flatten(examples), model.inputs, strict=True)
        arrays = [np.asarray(array, i.dtype) for array, i in pairs]
        return {"predict": Endpoint(predict, signature, self._batches(arrays))}

    def _batches(self, arrays: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Return one row and all rows, or as many as a model of a fixed batch takes."""
        fixed = {i.shape[0] for i in self.model.inputs} - {None}
        if not fixed:
            return [[a[:1] for a in arrays], arrays]
        size, rows = max(fixed), min(map(len, arrays))
        if rows < size:
            raise InputError(
                f"{self.model.name} takes batches of {size}: it needs as many examples, got {rows}."
            )
        starts = range(0, rows - size + 1, size)
        return [[a[start : start + size] for a in arrays] for start in starts]


register(keras.Model, KerasModelAdapter)
