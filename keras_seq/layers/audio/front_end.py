"""What recurrent layers read of sound."""

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError


@keras.saving.register_keras_serializable(package="keras_seq")
class FrontEnd(keras.layers.Layer):
    """What recurrent layers read of a recording: `(batch, samples)` to `(batch, steps, features)`.

    Frames of a log-mel spectrogram, each band made even by its mean and deviation, some of them
    side by side.

    Args:
        window, hop, sample_rate, bands: As of `keras_seq.layers.LogMel`.
        stack: Frames a step.
        stride: Frames from step to step.
        noise: Whether there is a `keras_seq.layers.BackgroundNoise`, for training.
        warp: `most` of `keras_seq.layers.SpectralWarping`, in training.
        masks: Of `keras_seq.layers.SpectralMasking`, in training.
        centred: Whether the mean over the steps is taken off each feature.
        polyphase: Whether steps are read from each frame of the first stride on: a recording is
            `phases` in a row in the batch, or in training one of them, drawn for each batch.

    Returns:
        The features, and which steps there are of each recording, bools `(batch, steps)`.
    """

    def __init__(
        self,
        window,
        hop,
        sample_rate,
        bands,
        stack,
        stride,
        noise,
        warp,
        masks,
        centred,
        polyphase,
        **kwargs,
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "kwargs", "__class__")}
        super().__init__(**kwargs)
        if not 1 <= stride <= stack:
            raise InputError(
                f"A step strides over 1 frame at least and no more than it reads, {stack}; got "
                f"{stride}."
            )
        self._arguments = arguments
        self.stack, self.stride, self.bands, self.centred = stack, stride, bands, centred
        self.log_mel = layers.LogMel(sample_rate, window, hop, bands, name="log_mel")
        high = sample_rate / 2
        self.warp = layers.SpectralWarping(warp, high=high, name="warp") if warp else None
        self.noise = layers.BackgroundNoise(name="noise") if noise else None
        self.masking = layers.SpectralMasking(masks, name="masking") if masks else None
        self.phases = stride if polyphase else 1
        self.phase = keras.random.SeedGenerator() if polyphase else None
        self.advance = stride * hop
        self.span = (stack + self.phases - 2) * hop + window
        self.features = stack * bands
        self.mean = self._fixed("mean", "zeros")
        self.deviation = self._fixed("deviation", "ones")

    def _fixed(self, name, initializer):
        return self.add_weight(
            shape=(self.bands,), name=name, initializer=initializer, trainable=False
        )

    def call(self, samples, lengths, training=False):
        if self.noise is not None:
            samples = self.noise(samples, training=training)
        count = ops.shape(samples)[1]
        # In whole numbers above zero, which any runtime divides alike.
        steps = ops.maximum((count + self.advance - 1) // self.advance, 1)
        more = (steps - 1) * self.advance + self.span - count
        features = self.of_whole_steps(ops.pad(samples, [[0, 0], [0, more]]), training)
        there = ops.arange(ops.shape(features)[1]) * self.advance
        mask = there[None, :] < lengths[:, None]
        if self.phases > 1 and not training:
            mask = ops.repeat(mask, self.phases, axis=0)
        if self.centred:
            counts = ops.cast(mask, features.dtype)[:, :, None]
            means = ops.sum(features * counts, axis=1, keepdims=True)
            features -= means / ops.maximum(ops.sum(counts, axis=1, keepdims=True), 1)
        return features, mask

    def of_whole_steps(self, samples, training=False):
        """Features of samples that end with the last sample of a step."""
        x = self.log_mel(samples)
        if self.warp is not None:
            x = self.warp(x, training=training)
        x = (x - self.mean) / self.deviation
        if self.masking is not None:
            x = self.masking(x, training=training)
        if self.phases == 1:
            return self._side_by_side(x)
        batch, frames = ops.shape(x)[:2]
        steps = 1 + (frames - self.stack - self.phases + 1) // self.stride
        read = (steps - 1) * self.stride + self.stack
        if training:
            phase = ops.cast(self.phases * keras.random.uniform((), seed=self.phase), "int32")
            return self._side_by_side(ops.slice(x, (0, phase, 0), (batch, read, self.bands)))
        phases = [self._side_by_side(x[:, phase : phase + read]) for phase in range(self.phases)]
        return ops.reshape(ops.stack(phases, axis=1), (-1, steps, self.features))

    def _side_by_side(self, x):
        """Steps of frames: `stack` of them beside each other, every `stride`."""
        last = (ops.shape(x)[1] - self.stack) // self.stride * self.stride + 1
        parts = [x[:, first : first + last : self.stride] for first in range(self.stack)]
        return ops.concatenate(parts, axis=-1)

    def compute_output_spec(self, samples, lengths, training=False):
        batch = samples.shape[0]
        return (
            keras.KerasTensor((batch, None, self.features), "float32"),
            keras.KerasTensor((batch, None), "bool"),
        )

    def get_config(self):
        return {**super().get_config(), **self._arguments}


def floats(recording):
    """Samples within -1 to 1, float32.

    Args:
        recording: `(samples,)`, floats within -1 to 1 or whole numbers of 16 bits.

    Raises:
        InputError: It is neither.
    """
    recording = np.asarray(recording)
    if recording.ndim != 1:
        raise InputError(
            f"A recording is one row of samples, got an array of shape {recording.shape}; mix "
            "channels down first."
        )
    if recording.dtype == np.int16:
        return recording.astype("float32") / 2**15
    if not np.issubdtype(recording.dtype, np.floating):
        raise InputError(
            f"Samples are floats within -1 to 1 or whole numbers of 16 bits, got {recording.dtype}."
        )
    return recording.astype("float32")
