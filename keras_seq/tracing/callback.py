"""Gates and gradients in TensorBoard, while a model trains."""

import keras

from keras_seq._internal.errors import InputError
from keras_seq.tracing.trace import trace


class TensorBoardGates(keras.callbacks.Callback):
    """Writes what gates do and how gradients flow, after every epoch, for TensorBoard.

        board = TensorBoardGates("logs", x[:64], y[:64])
        model.fit(x, y, epochs=10, callbacks=[board])

    Of each recurrent layer: `gates/LAYER/GATE/mean`, `closed` and `open` (the shares below 0.1 and
    above 0.9) and `memory/LAYER`, the median over units (see
    `keras_seq.tracing.gate_statistics`). With
    targets, of each state: `gradients/LAYER/STATE/first` and `last`, the mean norm of the gradient
    of the loss at the time steps that the layer computes first and last, and `ratio`, one by the
    other: far below 1, gradients vanish on their way back, far above, they explode.

    Args:
        log_dir: Where to write; `tensorboard --logdir LOG_DIR` shows it.
        inputs: One batch to look at, always the same.
        targets: Of that batch, as `fit` takes them, for the gradients of the compiled loss.
        layers: Names of the layers to look at, as for `keras_seq.trace`.
        epoch_freq: Number of epochs from one measurement to the next.

    Raises:
        InputError: TensorFlow, which writes the files on any backend, is not installed.
    """

    def __init__(self, log_dir, inputs, targets=None, layers=None, epoch_freq=1):
        super().__init__()
        try:
            import tensorflow as tf
        except ImportError:
            raise InputError(
                "TensorFlow writes the files of TensorBoard, whatever the backend, and it is not "
                "installed: pip install tensorflow."
            ) from None
        self.tf, self.log_dir = tf, str(log_dir)
        self.inputs, self.targets, self.layers, self.epoch_freq = (
            inputs,
            targets,
            layers,
            epoch_freq,
        )
        self.writer = None

    def on_epoch_end(self, epoch, logs=None):
        if (epoch + 1) % self.epoch_freq:
            return
        if self.writer is None:
            self.writer = self.tf.summary.create_file_writer(self.log_dir)
        with self.writer.as_default():
            for tag, value in self.measure():
                self._write(tag, value, epoch + 1)
        self.writer.flush()

    def on_train_end(self, logs=None):
        if self.writer is not None:
            self.writer.close()
            self.writer = None

    def measure(self):
        """Pairs of a tag and its number, of the model as it is."""
        found = trace(self.model, self.inputs, self.layers)
        for name, gates in found.gate_statistics().items():
            for gate, numbers in gates.items():
                for kind, value in numbers._asdict().items():
                    yield f"gates/{name}/{gate}/{kind}", value
        for name, timesteps in found.memory_length().items():
            yield f"memory/{name}", float(sorted(timesteps)[len(timesteps) // 2])
        if self.targets is None:
            return
        for name, states in found.gradient_norms(self.loss).items():
            for state, norms in states.items():
                first, last = _first_and_last(norms, found[name])
                yield f"gradients/{name}/{state}/first", first
                yield f"gradients/{name}/{state}/last", last
                yield f"gradients/{name}/{state}/ratio", first / last if last else 0.0

    def loss(self, outputs):
        """The compiled loss of the batch."""
        return self.model.compute_loss(y=self.targets, y_pred=outputs, training=False)

    def _write(self, tag, value, step):
        # `tf.summary.scalar` would need the package tensorboard, which is for reading.
        proto = self.tf.compat.v1.SummaryMetadata
        kind = proto(plugin_data=proto.PluginData(plugin_name="scalars"))
        self.tf.summary.write(tag, self.tf.constant(value, "float32"), step, kind)


def _first_and_last(norms, layer):
    """The means over sequences of the first and the last time step that each layer computes."""
    found = []
    for norms_here, seen in zip(norms, layer.unmasked):
        here = norms_here[seen]
        if len(here):
            found.append((here[-1], here[0]) if layer.go_backwards else (here[0], here[-1]))
    first, last = zip(*found) if found else ((0.0,), (0.0,))
    return float(sum(first) / len(first)), float(sum(last) / len(last))
