"""Export of functional Keras models."""

from typing import Any

import keras
import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq.export.checks import require_stateless
from keras_seq.export.example_inputs import draw_inputs
from keras_seq.export.signatures.base import Adapter, Endpoint, register
from keras_seq.tracing.hooks import unique_name


class KerasModelAdapter(Adapter):
    """Adapter of a functional `keras.Model`, with the endpoint `predict`.

    Examples are a batch of inputs.
    """

    def __init__(self, model: keras.Model) -> None:
        super().__init__(model)
        self.functional = _functional(model)

    def example_inputs(self) -> Any:
        """Return random inputs, see `keras_seq.export.example_inputs.draw_inputs`.

        Raises:
            InputError: If the model is stateful, or random inputs do not fit it.
        """
        require_stateless(self.model)
        return draw_inputs(self.functional)

    def tensor_signatures(self, examples: Any) -> dict[str, Endpoint]:
        """Return `predict`, from the inputs of the model to its outputs by name.

        Args:
            examples: Batch of inputs to verify the export on.

        Raises:
            InputError: If the model is stateful, or the examples do not fit it.
        """
        import tensorflow as tf

        require_stateless(self.model)
        model = self.functional
        inputs: list[str] = [i.name for i in model.inputs]
        names: list[str] = []
        for name in sorted(model.output) if isinstance(model.output, dict) else model.output_names:
            names.append(unique_name(name, inputs + names))

        def predict(*arguments: Any) -> dict[str, Any]:
            outputs = model(keras.tree.pack_sequence_as(model.input, arguments), training=False)
            return dict(zip(names, keras.tree.flatten(outputs), strict=True))

        signature = [tf.TensorSpec(i.shape, i.dtype, i.name) for i in model.inputs]
        flat_examples = keras.tree.flatten(examples)
        if len(flat_examples) != len(model.inputs):
            raise InputError(
                f"{model.name} takes {len(model.inputs)} inputs ({', '.join(inputs)}), but the "
                f"examples have {len(flat_examples)}."
            )
        arrays = [np.asarray(a, i.dtype) for a, i in zip(flat_examples, model.inputs, strict=True)]
        return {"predict": Endpoint(predict, signature, self._batches(arrays))}

    def _batches(self, arrays: list[np.ndarray]) -> list[list[np.ndarray]]:
        """Return the first row and all rows; for a model of fixed batch size, full batches."""
        fixed_sizes = {i.shape[0] for i in self.functional.inputs} - {None}
        if not fixed_sizes:
            return [[a[:1] for a in arrays], arrays]
        size, num_rows = max(fixed_sizes), min(map(len, arrays))
        if num_rows < size:
            raise InputError(
                f"{self.model.name} takes batches of {size}: pass at least as many examples, got "
                f"{num_rows}."
            )
        starts = range(0, num_rows - size + 1, size)
        return [[a[start : start + size] for a in arrays] for start in starts]


def _functional(model: keras.Model) -> keras.Model:
    """Return a model as a functional model that shares its layers.

    Raises:
        InputError: If the model is not functional.
    """
    if isinstance(model, keras.Sequential) and model.built:
        return keras.Model(model.inputs, model.outputs, name=model.name)
    if hasattr(model, "output_names"):
        return model
    if isinstance(model, keras.Sequential):
        raise InputError(f"{model.name} cannot be exported before it is built: call it once.")
    raise InputError(
        f"{model.name} cannot be exported: it is not functional, so its inputs are unknown. "
        f"Register an adapter for {type(model).__name__} with keras_seq.export.register()."
    )


register(keras.Model, KerasModelAdapter)
