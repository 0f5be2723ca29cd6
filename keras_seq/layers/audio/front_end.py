"""Audio front end of a speech recognizer."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.ranges import PositiveInt, check_arguments
from keras_seq._internal.types import Array, ArrayLike, Config, Shape, Tensor
from keras_seq.layers.audio.background_noise import BackgroundNoise
from keras_seq.layers.audio.log_mel_spectrogram import LogMelSpectrogram
from keras_seq.layers.audio.noise import make_noise_tracks
from keras_seq.layers.audio.spectral_augmentation import SpecAugment, VocalTractLengthPerturbation
from keras_seq.layers.audio.telephone_channel import TelephoneChannel

SUBLAYERS = ("log_mel", "noise", "warping", "masking", "channel")
"""Arguments that are layers, or None."""
SAVED = ("frame_stack", "frame_stride", "mean_normalize", "average_offsets")
"""Other arguments, which the configuration contains unchanged."""


@keras.saving.register_keras_serializable(package="keras_seq")
class FrontEnd(keras.layers.Layer):
    """Audio front end: normalized log-mel spectrogram, frame stacking, and augmentation.

    `adapt` learns the mean and the standard deviation of each mel bin. Several successive frames
    form one time step.

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
        log_mel: Spectrogram layer. Default: 40 mel bins, a frame of 25 ms every 10 ms, at 16 kHz.
        frame_stack: Number of frames per time step.
        frame_stride: Number of frames from one time step to the next, from 1 to `frame_stack`.
            Default: `frame_stack`.
        noise: Layer that adds noise in training. `adapt` sets its tracks. Default: none.
        warping: Layer that warps frequencies in training, with the `min_freq` and `max_freq` of
            `log_mel`. Default: none.
        masking: Layer that masks bins and frames in training. Default: none.
        mean_normalize: Whether to subtract the mean of each feature over the recording (cepstral
            mean normalization), which removes loudness and channel effects. Not available for
            streaming.
        average_offsets: Whether to average predictions over all `frame_stride` frame offsets
            (test-time augmentation). At inference the outputs then have `num_offsets` rows per
            recording, one after the other, which `BlankAfterEnd` averages. Training uses one random
            offset per batch.
        channel: Layer that simulates telephone lines in training, with the `min_freq`, `max_freq`
            and `min_power` of `log_mel`. Default: none.

    Call arguments:
        samples: Floats from -1 to 1, `(batch, samples)`, padded at the end.
        lengths: Number of samples of each recording, `(batch,)`.
        training: Whether to augment, and to draw an offset.

    Returns:
        The features `(batch * num_offsets, timesteps, frame_stack * num_mel_bins)`, and their mask
        `(batch * num_offsets, timesteps)`, False after the end of a recording. `num_offsets` is
        `frame_stride` with `average_offsets` at inference, otherwise 1.

    Raises:
        InputError: If `frame_stride` is out of its range, or `warping` or `channel` differ from
            `log_mel` in their frequencies or minimum power.
    """

    def __init__(
        self,
        log_mel: LogMelSpectrogram | None = None,
        frame_stack: PositiveInt = 4,
        frame_stride: int | None = None,
        noise: BackgroundNoise | None = None,
        warping: VocalTractLengthPerturbation | None = None,
        masking: SpecAugment | None = None,
        mean_normalize: bool = False,
        average_offsets: bool = False,
        channel: TelephoneChannel | None = None,
        **kwargs: Any,
    ) -> None:
        check_arguments(FrontEnd, locals())
        # float16 would overflow in the spectrogram.
        super().__init__(**{"dtype": "float32", **kwargs})
        self.log_mel = LogMelSpectrogram() if log_mel is None else log_mel
        self.frame_stack = frame_stack
        self.frame_stride = frame_stack if frame_stride is None else frame_stride
        self.noise, self.warping, self.masking, self.channel = noise, warping, masking, channel
        self.mean_normalize, self.average_offsets = mean_normalize, average_offsets
        if not 1 <= self.frame_stride <= frame_stack:
            raise InputError(
                "FrontEnd: frame_stride must be from 1 to frame_stack, "
                f"{frame_stack}, got {self.frame_stride}."
            )
        edges = self.log_mel.min_freq, self.log_mel.max_freq or self.sample_rate / 2
        for name, layer in (("warping", warping), ("channel", channel)):
            if layer is not None and (layer.min_freq, layer.max_freq) != edges:
                raise InputError(
                    f"FrontEnd: {name} covers {layer.min_freq} to {layer.max_freq} Hz, but "
                    f"log_mel {edges[0]} to {edges[1]} Hz; give both the same min_freq and "
                    "max_freq."
                )
        if channel is not None and channel.min_power != self.log_mel.min_power:
            raise InputError(
                f"FrontEnd: channel has the min_power {channel.min_power}, but log_mel "
                f"{self.log_mel.min_power}; give both the same."
            )
        self.num_offsets = self.frame_stride if average_offsets else 1
        self.seed_generator = keras.random.SeedGenerator() if average_offsets else None
        self.step_hop = self.frame_stride * self.log_mel.frame_step
        """Number of samples from one time step to the next."""
        frames = frame_stack + self.num_offsets - 1
        self.receptive_field = (frames - 1) * self.log_mel.frame_step + self.log_mel.frame_length
        """Number of samples that one time step reads, over all offsets."""

    @property
    def sample_rate(self) -> int:
        """Samples per second."""
        return self.log_mel.sample_rate

    @property
    def output_size(self) -> int:
        """Number of features per time step."""
        return self.frame_stack * self.log_mel.num_mel_bins

    def build(self, samples_shape: Shape, lengths_shape: Shape | None = None) -> None:
        for layer in (getattr(self, name) for name in SUBLAYERS):
            if layer is not None:
                layer.build(samples_shape)
        shape = (self.log_mel.num_mel_bins,)
        options: dict[str, Any] = {"trainable": False, "dtype": "float32", "autocast": False}
        self.mean = self.add_weight(shape, "zeros", name="mean", **options)
        self.std = self.add_weight(shape, "ones", name="std", **options)

    def adapt(self, recordings: Sequence[ArrayLike]) -> None:
        """Learn the mean and the standard deviation of each mel bin, and set the noise tracks.

        Args:
            recordings: Arrays `(samples,)`: int16, or floats from -1 to 1. A few hundred suffice.
                The noise tracks contain babble of them.

        Raises:
            InputError: If all recordings are shorter than a frame.
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
            raise InputError(
                f"{self.name}.adapt() needs a recording of at least {self.log_mel.frame_length} "
                "samples; all are shorter."
            )
        if self.noise is not None:
            floats = [as_floats(recording) for recording in recordings]
            self.noise.set_noise(make_noise_tracks(floats, self.sample_rate))
        mean = total / count
        self.mean.assign(mean)
        self.std.assign(np.sqrt(np.maximum(squares / count - mean**2, 1e-2)))

    def spectrogram(self, recording: ArrayLike) -> Array:
        """Return the log-mel spectrogram of a recording, `(frames, num_mel_bins)`.

        Args:
            recording: As in `adapt`. A recording shorter than a frame is padded.
        """
        samples = as_floats(recording)
        samples = np.pad(samples, (0, max(0, self.log_mel.frame_length - len(samples))))
        return ops.convert_to_numpy(self.log_mel(samples[None]))[0]

    def call(
        self, samples: Tensor, lengths: Tensor, training: bool | None = False
    ) -> tuple[Tensor, Tensor]:
        if self.noise is not None:
            samples = self.noise(samples, training=training)
        count = ops.shape(samples)[1]
        # The dividend is never negative: runtimes round negative quotients differently. JAX needs
        # Python integers for the padding.
        maximum = max if isinstance(count, int) else ops.maximum
        steps = maximum((count + self.step_hop - 1) // self.step_hop, 1)
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

    def features(self, samples: Tensor, training: bool | None = False) -> Tensor:
        """Return the features of samples that are padded to whole time steps.

        Args:
            samples: `(batch, samples)`.
            training: Whether to warp, to simulate telephone lines, to mask, and to draw an offset.
                No noise is added.

        Returns:
            `(batch * num_offsets, timesteps, frame_stack * num_mel_bins)`; in training
            `(batch, timesteps, ...)`.
        """
        x = self.log_mel(samples)
        if self.warping is not None:
            x = self.warping(x, training=training)
        if self.channel is not None:
            x = self.channel(x, training=training)
        x = (x - self.mean) / self.std
        if self.masking is not None:
            x = self.masking(x, training=training)
        if self.num_offsets == 1:
            return self._stack_frames(x)
        batch, frames = ops.shape(x)[:2]
        steps = 1 + (frames - self.frame_stack - self.num_offsets + 1) // self.frame_stride
        num_frames = (steps - 1) * self.frame_stride + self.frame_stack
        if training:
            random = keras.random.uniform((), seed=self.seed_generator)
            offset = ops.cast(self.num_offsets * random, "int32")
            return self._stack_frames(
                ops.slice(x, (0, offset, 0), (batch, num_frames, self.log_mel.num_mel_bins))
            )
        rows = [
            self._stack_frames(x[:, offset : offset + num_frames])
            for offset in range(self.num_offsets)
        ]
        return ops.reshape(ops.stack(rows, axis=1), (-1, steps, self.output_size))

    def _stack_frames(self, x: Tensor) -> Tensor:
        """Return time steps of `frame_stack` frames, one every `frame_stride` frames."""
        stride = self.frame_stride
        end = (ops.shape(x)[1] - self.frame_stack) // stride * stride + 1
        frames = [x[:, start : start + end : stride] for start in range(self.frame_stack)]
        return ops.concatenate(frames, axis=-1)

    def compute_output_spec(
        self, samples: Tensor, lengths: Tensor, training: bool | None = False
    ) -> tuple[keras.KerasTensor, keras.KerasTensor]:
        batch, count = samples.shape
        batch = batch if self.num_offsets == 1 else None
        steps = None if count is None else max(-(-count // self.step_hop), 1)
        return (
            keras.KerasTensor((batch, steps, self.output_size), self.compute_dtype),
            keras.KerasTensor((batch, steps), "bool"),
        )

    def get_config(self) -> Config:
        sublayers = {name: getattr(self, name) for name in SUBLAYERS}
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in SAVED},
            **{n: keras.saving.serialize_keras_object(layer) for n, layer in sublayers.items()},
        }

    @classmethod
    def from_config(cls, config: Config) -> "FrontEnd":
        # Models of earlier versions have no channel.
        sublayers = {n: keras.saving.deserialize_keras_object(config.get(n)) for n in SUBLAYERS}
        return super().from_config({**config, **sublayers})


def check_recording(recording: ArrayLike) -> Array:
    """Return a recording as an array, of any data type that `as_floats` takes.

    Args:
        recording: As for `as_floats`.

    Raises:
        InputError: If it has another shape or data type.
    """
    recording = np.asarray(recording)
    if recording.ndim != 1:
        raise InputError(
            f"A recording must have the shape (samples,), got {recording.shape}; mix down the "
            "channels first."
        )
    if recording.dtype != np.int16 and not np.issubdtype(recording.dtype, np.floating):
        raise InputError(
            f"Samples must be floats from -1 to 1 or 16-bit integers, got {recording.dtype}."
        )
    return recording


def as_floats(recording: ArrayLike) -> Array:
    """Convert a recording to float32 samples from -1 to 1, `(samples,)`.

    Args:
        recording: `(samples,)`, floats from -1 to 1 or 16-bit integers.

    Raises:
        InputError: If it has another shape or data type.
    """
    recording = check_recording(recording)
    if recording.dtype == np.int16:
        return recording.astype("float32") / 2**15
    return recording.astype("float32")
