"""TensorBoard callback for gates and gradients."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array, ArrayLike, Tensor
from keras_seq.tracing.recorder import LayerTrace
from keras_seq.tracing.trace import trace


class TensorBoardGates(keras.callbacks.Callback):
    """Callback that writes gate statistics and gradient norms to TensorBoard.

    For each recurrent layer it writes `gates/LAYER/GATE/mean`, `closed` and `open` (fractions below
    0.1 and above 0.9), and `memory/LAYER`, the median memory length over units. See
    `keras_seq.tracing.gate_statistics`.

    With targets it also writes, for each state, the gradient norms of the loss averaged over the
    batch: `gradients/LAYER/STATE/first` and `last` for the first and last computed time step, and
    their `ratio`. A ratio far below 1 means vanishing gradients, far above 1 exploding gradients.

    >>> import keras
    >>> import numpy as np
    >>> import tempfile
    >>> from keras_seq import layers
    >>> from keras_seq.tracing import TensorBoardGates
    >>> model = keras.Sequential([keras.Input((5, 3)), layers.GRU(4, name="gru")])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     callback = TensorBoardGates(folder, np.ones((2, 5, 3), "float32"), epoch_freq=2)
    ...     callback.set_model(model)
    ...     sorted(tag for tag, _ in callback.measure())[:3]
    ['gates/gru/reset/closed', 'gates/gru/reset/mean', 'gates/gru/reset/open']

    Args:
        log_dir: Folder to write to, for `tensorboard --logdir LOG_DIR`.
        inputs: Batch on which the model is traced.
        targets: Targets of the batch, as `fit` takes them. Default: no gradients are written.
        layers: Names of the layers to trace, as for `keras_seq.trace`. Default: all.
        epoch_freq: Interval between measurements in epochs, at least 1.

    Raises:
        InputError: If TensorFlow, which writes the files for every backend, is not installed.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str],
        inputs: ArrayLike,
        targets: ArrayLike | None = None,
        layers: Sequence[str] | None = None,
        epoch_freq: int = 1,
    ) -> None:
        super().__init__()
        try:
            import tensorflow as tf
        except ImportError:
            raise InputError(
                "TensorFlow writes the files of TensorBoard for every backend, but is not "
                "installed. Install it with: pip install tensorflow."
            ) from None
        self.tf, self.log_dir = tf, str(log_dir)
        self.inputs, self.targets = inputs, targets
        self.layers, self.epoch_freq = layers, epoch_freq
        self.writer: Any = None

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if (epoch + 1) % self.epoch_freq:
            return
        if self.writer is None:
            self.writer = self.tf.summary.create_file_writer(self.log_dir)
        with self.writer.as_default():
            for tag, value in self.measure():
                self._write(tag, value, epoch + 1)
        self.writer.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def measure(self) -> Iterator[tuple[str, float]]:
        """Yield the tag and value of each number, for the current weights of the model."""
        traced = trace(self.model, self.inputs, self.layers)
        for name, gates in traced.gate_statistics().items():
            for gate, statistics in gates.items():
                for kind, value in statistics._asdict().items():
                    yield f"gates/{name}/{gate}/{kind}", value
        for name, lengths in traced.memory_length().items():
            yield f"memory/{name}", float(sorted(lengths)[len(lengths) // 2])
        if self.targets is None:
            return
        for name, states in traced.gradient_norms(self.loss).items():
            for state, norms in states.items():
                first, last = _first_and_last(norms, traced[name])
                yield f"gradients/{name}/{state}/first", first
                yield f"gradients/{name}/{state}/last", last
                yield f"gradients/{name}/{state}/ratio", first / last if last else 0.0

    def loss(self, outputs: Tensor) -> Tensor:
        """Return the compiled loss of the batch for these outputs of the model."""
        return self.model.compute_loss(y=self.targets, y_pred=outputs, training=False)

    def _write(self, tag: str, value: float, step: int) -> None:
        # `tf.summary.scalar` needs the package tensorboard, which is otherwise only a viewer.
        proto = self.tf.compat.v1.SummaryMetadata
        kind = proto(plugin_data=proto.PluginData(plugin_name="scalars"))
        self.tf.summary.write(tag, self.tf.constant(value, "float32"), step, kind)


def _first_and_last(norms: Array, layer: LayerTrace) -> tuple[float, float]:
    """Return the means over sequences of the norms at the first and last computed time step."""
    ends = []
    for row, unmasked in zip(norms, layer.unmasked, strict=True):
        values = row[unmasked]
        if len(values):
            ends.append((values[-1], values[0]) if layer.go_backwards else (values[0], values[-1]))
    if not ends:
        return 0.0, 0.0
    first, last = zip(*ends, strict=True)
    return float(sum(first) / len(first)), float(sum(last) / len(last))
