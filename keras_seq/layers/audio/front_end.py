"""What recurrent layers read of sound."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers.audio.background_noise import BackgroundNoise
from keras_seq.layers.audio.log_mel_spectrogram import LogMelSpectrogram
from keras_seq.layers.audio.noise import make_noise_tracks
from keras_seq.layers.audio.spectral_augmentation import SpecAugment, VocalTractLengthPerturbation

SUBLAYERS = ("log_mel", "noise", "warping", "masking")
"""Arguments that are layers."""
SAVED = ("frame_stack", "frame_stride", "mean_normalize", "average_offsets")
"""Arguments that are saved as they are."""


@keras.saving.register_keras_serializable(package="keras_seq")
class FrontEnd(keras.layers.Layer):
    """Time steps of stacked log-mel frames, from the samples of recordings.

    Each band of the spectrogram is normalized by a mean and a standard deviation that `adapt`
    learns. Then some frames together become one time step.

    >>> import numpy as np
    >>> from keras_seq.layers import BackgroundNoise, FrontEnd, LogMelSpectrogram
    >>> log_mel = LogMelSpectrogram(8_000, frame_length=200, frame_step=80, num_mel_bins=20)
    >>> front_end = FrontEnd(log_mel, noise=BackgroundNoise())
    >>> samples = np.random.default_rng(0).uniform(-0.5, 0.5, (2, 4_000))
    >>> front_end.adapt(list(samples))
    >>> features, mask = front_end(samples, np.array([4_000, 2_000]))  # 4 frames of 10 ms per step
    >>> tuple(features.shape), np.array(mask).sum(axis=1)
    ((2, 13, 80), array([13,  7]))

    Args:
        log_mel: Spectrogram. Default: 40 bands, a frame of 25 ms every 10 ms, at 16 kHz.
        frame_stack: Number of frames per time step.
        frame_stride: Number of frames from time step to time step, at most `frame_stack`, which is
            the default.
        noise: Noise that is added in training. `adapt` gives it its tracks.
        warping: Warping of the frequencies in training. Its edges must be those of `log_mel`.
        masking: Masking of bands and frames in training.
        mean_normalize: Whether to subtract from each feature its mean over the recording (cepstral
            mean normalization), which removes loudness and channel. Not for streams.
        average_offsets: Whether to read each recording `frame_stride` times, each time a frame
            later: the batch then has that many rows per recording, one after the other, of which
            `BlankAfterEnd` returns the mean. In training it is read once, from an offset drawn for
            each batch, so that training takes no longer.

    Call arguments:
        samples: Floats from -1 to 1, `(batch, samples)`, padded at the end.
        lengths: Number of samples of each recording, `(batch,)`.
        training: Whether to add noise, warp, mask and draw an offset.

    Returns:
        The features `(batch * num_offsets, timesteps, frame_stack * bands)`, and which time steps
        there are of each recording, bools `(batch * num_offsets, timesteps)`.

    Raises:
        InputError: If arguments contradict each other.
    """

    def __init__(
        self,
        log_mel: LogMelSpectrogram | None = None,
        frame_stack: int = 4,
        frame_stride: int | None = None,
        noise: BackgroundNoise | None = None,
        warping: VocalTractLengthPerturbation | None = None,
        masking: SpecAugment | None = None,
        mean_normalize: bool = False,
        average_offsets: bool = False,
        **kwargs: Any,
    ) -> None:
        # A spectrogram needs the range of float32.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.log_mel = LogMelSpectrogram() if log_mel is None else log_mel
        self.frame_stack = frame_stack
        self.frame_stride = frame_stack if frame_stride is None else frame_stride
        self.noise, self.warping, self.masking = noise, warping, masking
        self.mean_normalize, self.average_offsets = mean_normalize, average_offsets
        if not 1 <= self.frame_stride <= frame_stack:
            raise InputError(
                "FrontEnd: frame_stride must be at least 1 and no more than frame_stack, "
                f"{frame_stack}; got {self.frame_stride}."
            )
        edges = self.log_mel.min_freq, self.log_mel.max_freq or self.sample_rate / 2
        if warping is not None and (warping.min_freq, warping.max_freq) != edges:
            raise InputError(
                f"FrontEnd: warping covers {warping.min_freq} to {warping.max_freq} Hz, but "
                f"log_mel {edges[0]} to {edges[1]} Hz; give both the same min_freq and max_freq."
            )
        self.num_offsets = self.frame_stride if average_offsets else 1
        self.seed_generator = keras.random.SeedGenerator() if average_offsets else None
        self.step_hop = self.frame_stride * self.log_mel.frame_step
        """Number of samples from time step to time step."""
        frames = frame_stack + self.num_offsets - 1
        self.receptive_field = (frames - 1) * self.log_mel.frame_step + self.log_mel.frame_length
        """Number of samples that a time step is computed from, with all offsets."""

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.log_mel.sample_rate

    @property
    def output_size(self) -> int:
        """Number of features per time step."""
        return self.frame_stack * self.log_mel.num_mel_bins

    def build(self, samples_shape: Any, lengths_shape: Any = None) -> None:
        for layer in (getattr(self, name) for name in SUBLAYERS):
            if layer is not None:
                layer.build(samples_shape)
        shape = (self.log_mel.num_mel_bins,)
        # The spectrogram is float32 in mixed precision too.
        options: dict[str, Any] = {"trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight(shape, "zeros", name="mean", **options)
        self.std = self.add_weight(shape, "ones", name="std", **options)

    def adapt(self, recordings: Sequence[np.ndarray]) -> None:
        """Learn mean and standard deviation of each band, and make tracks of noise.

        The babble in the noise is of these recordings.

        Args:
            recordings: Arrays of samples, see `as_floats`; a few hundred will do.

        Raises:
            InputError: If no recording is as long as a frame.
        """
        if not self.built:
            self.build((None, None))
        count, total, squares = 0, 0.0, 0.0
        for recording in recordings:
            if len(recording) < self.log_mel.frame_length:
                continue
            log_mel = self.spectrogram(recording)
            count += len(log_mel)
            total = total + log_mel.sum(axis=0, dtype="float64")
            squares = squares + (log_mel.astype("float64") ** 2).sum(axis=0)
        if not count:
            raise InputError("adapt() needs a recording that is as long as a frame.")
        if self.noise is not None:
            heard = [as_floats(recording) for recording in recordings]
            self.noise.set_noise(make_noise_tracks(heard, self.sample_rate))
        mean = total / count
        self.mean.assign(mean)
        self.std.assign(np.sqrt(np.maximum(squares / count - mean**2, 1e-2)))

    def spectrogram(self, recording: np.ndarray) -> np.ndarray:
        """Return the log-mel spectrogram of a recording, `(frames, bands)`.

        Args:
            recording: Samples, see `as_floats`; fewer than a frame has are padded.
        """
        samples = as_floats(recording)
        samples = np.pad(samples, (0, max(0, self.log_mel.frame_length - len(samples))))
        return ops.convert_to_numpy(self.log_mel(samples[None]))[0]

    def call(self, samples: Any, lengths: Any, training: bool | None = False) -> Any:
        if self.noise is not None:
            samples = self.noise(samples, training=training)
        count = ops.shape(samples)[1]
        # In integers above zero, which all runtimes divide alike. JAX pads by known numbers only.
        larger = max if isinstance(count, int) else ops.maximum
        steps = larger((count + self.step_hop - 1) // self.step_hop, 1)
        missing = (steps - 1) * self.step_hop + self.receptive_field - count
        features = self.features(ops.pad(samples, [[0, 0], [0, missing]]), training)
        starts = ops.arange(ops.shape(features)[1]) * self.step_hop
        mask = starts[None, :] < ops.cast(lengths, "int32")[:, None]
        if self.num_offsets > 1 and not training:
            mask = ops.repeat(mask, self.num_offsets, axis=0)
        if self.mean_normalize:
            weights = ops.cast(mask, features.dtype)[:, :, None]
            total = ops.sum(features * weights, axis=1, keepdims=True)
            features -= total / ops.maximum(ops.sum(weights, axis=1, keepdims=True), 1)
        return ops.cast(features, self.compute_dtype), mask

    def features(self, samples: Any, training: bool | None = False) -> Any:
        """Return the features of samples that end with the last sample of a time step.

        Args:
            samples: `(batch, samples)`.
            training: Whether to warp, mask and draw an offset.
        """
        x = self.log_mel(samples)
        if self.warping is not None:
            x = self.warping(x, training=training)
        x = (x - self.mean) / self.std
        if self.masking is not None:
            x = self.masking(x, training=training)
        if self.num_offsets == 1:
            return self._stack_frames(x)
        batch, frames = ops.shape(x)[:2]
        steps = 1 + (frames - self.frame_stack - self.num_offsets + 1) // self.frame_stride
        read = (steps - 1) * self.frame_stride + self.frame_stack
        if training:
            drawn = keras.random.uniform((), seed=self.seed_generator)
            offset = ops.cast(self.num_offsets * drawn, "int32")
            return self._stack_frames(
                ops.slice(x, (0, offset, 0), (batch, read, self.log_mel.num_mel_bins))
            )
        rows = [
            self._stack_frames(x[:, offset : offset + read]) for offset in range(self.num_offsets)
        ]
        return ops.reshape(ops.stack(rows, axis=1), (-1, steps, self.output_size))

    def _stack_frames(self, x: Any) -> Any:
        """Return time steps of `frame_stack` frames, one every `frame_stride`."""
        stride = self.frame_stride
        end = (ops.shape(x)[1] - self.frame_stack) // stride * stride + 1
        frames = [x[:, first : first + end : stride] for first in range(self.frame_stack)]
        return ops.concatenate(frames, axis=-1)

    def compute_output_spec(self, samples: Any, lengths: Any, training: bool | None = False) -> Any:
        batch, count = samples.shape
        batch = batch if self.num_offsets == 1 else None
        steps = None if count is None else max(-(-count // self.step_hop), 1)
        return (
            keras.KerasTensor((batch, steps, self.output_size), self.compute_dtype),
            keras.KerasTensor((batch, steps), "bool"),
        )

    def get_config(self) -> dict[str, Any]:
        sublayers = {name: getattr(self, name) for name in SUBLAYERS}
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            **{n: keras.saving.serialize_keras_object(layer) for n, layer in sublayers.items()},
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FrontEnd":
        sublayers = {n: keras.saving.deserialize_keras_object(config[n]) for n in SUBLAYERS}
        return super().from_config({**config, **sublayers})


def as_floats(recording: np.ndarray) -> np.ndarray:
    """Return samples from -1 to 1, float32 `(samples,)`.

    Args:
        recording: `(samples,)`, floats from -1 to 1 or integers of 16 bits.

    Raises:
        InputError: If it is neither.
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
