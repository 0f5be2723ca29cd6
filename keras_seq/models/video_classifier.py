"""Video classifier."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError, check_list, unknown_name
from keras_seq._internal.types import Array, Tensor
from keras_seq.batching import EncodedDataset
from keras_seq.layers.named_weights import AxisNames, NamedWeight, dense_weights
from keras_seq.losses import LabelCrossentropy
from keras_seq.models.base import BaseModel
from keras_seq.models.results import Prediction, make_prediction

Clip = Any
"""Array `(frames, height, width)` or `(frames, height, width, 3)`, uint8."""


@keras.saving.register_keras_serializable(package="keras_seq")
class VideoClassifier(BaseModel):
    """Classifier of video clips: a frame encoder, recurrent layers, and a softmax over labels.

    >>> import numpy as np
    >>> from keras_seq.layers import RNNStack, SmallFrameEncoder
    >>> from keras_seq.models import VideoClassifier
    >>> random = np.random.default_rng(0)
    >>> clips = [random.integers(0, 256, (n, 8, 8), "uint8") for n in (4, 6)]
    >>> classifier = VideoClassifier(
    ...     ["falls", "rises"],
    ...     frame_shape=(8, 8),
    ...     encoder=SmallFrameEncoder(channels=4, features=8),
    ...     stack=RNNStack("LSTM", 8, dropout=0.2, return_sequences=False),
    ... )
    >>> classifier.compile("adam")
    >>> classifier.fit(clips, ["falls", "rises"])  # doctest: +SKIP
    >>> classifier.classify(clips)[0].label in classifier.labels
    True

    As a `keras.Model`, it maps a dict of "frames" `(batch, timesteps, *frame_shape)` and "mask"
    `(batch, timesteps)`, False at padding, to logits `(batch, labels)`. `encode` returns such a
    dict.

    Args:
        labels: Names of the classes, at least two.
        frame_shape: Shape of a frame: `(height, width)`, or `(height, width, 3)` for RGB.
        encoder: Layer or model from clips `(batch, timesteps, height, width, channels)`, with
            values from 0 to 255, to vectors `(batch, timesteps, features)`. Wrap a model of single
            frames in `keras_seq.layers.FlattenTime`. Default: `SmallFrameEncoder()`.
        stack: Recurrent layers with `return_sequences=False`. Default: a GRU layer of 96 units,
            with dropout of 0.2 before and after it.
        frame_sampling: Keyword arguments of `keras_seq.data.read_video`, such as `fps`, with which
            the training clips were read. The model only stores them. Default: empty.
        name: Name of the model.

    Raises:
        InputError: If there are fewer than two labels, if `frame_shape` is wrong, or if an output
            of encoder or stack has a wrong shape.
    """

    config_attributes = ("labels", "frame_shape", "encoder", "stack", "frame_sampling")

    def __init__(
        self,
        labels: Sequence[str],
        frame_shape: Sequence[int],
        encoder: keras.layers.Layer | None = None,
        stack: layers.RNNStack | None = None,
        frame_sampling: Mapping[str, Any] | None = None,
        name: str = "video_classifier",
    ) -> None:
        check_list(labels, "labels")
        frame_shape = tuple(frame_shape)
        if len(labels) < 2:
            raise InputError(f"A VideoClassifier needs at least two labels, got {len(labels)}.")
        if len(frame_shape) not in (2, 3) or frame_shape[2:] not in ((), (3,)):
            raise InputError(
                f"frame_shape must be (height, width) or (height, width, 3), got {frame_shape}."
            )
        if encoder is None:
            encoder = layers.SmallFrameEncoder(name="encoder")
        if stack is None:
            stack = layers.RNNStack("GRU", 96, dropout=0.2, return_sequences=False, name="stack")
        network = encoder, stack, keras.layers.Dense(len(labels), name="logits")
        frames = keras.Input((None, *frame_shape), dtype="uint8", name="frames")
        mask = keras.Input((None,), dtype="bool", name="mask")
        inputs = {"frames": frames, "mask": mask}
        super().__init__(inputs, _logits(network, frames, mask), name=name)
        self.labels, self.frame_shape = list(labels), frame_shape
        self.frame_sampling = dict(frame_sampling or {})
        self.encoder, self.stack, self.output_layer = network

    def logits(self, frames: Tensor, mask: Tensor | None = None) -> Tensor:
        """Return the logits `(batch, labels)` of clips.

        Args:
            frames: `(batch, timesteps, *frame_shape)`.
            mask: Bools `(batch, timesteps)`, False at padding. Default: no padding.
        """
        return _logits((self.encoder, self.stack, self.output_layer), frames, mask)

    def named_weights(self) -> list[NamedWeight]:
        """Return the weights whose axes are indexed by labels."""
        return dense_weights(self.output_layer, AxisNames("labels", self.labels))

    def default_loss(self) -> keras.losses.Loss:
        """Return the cross-entropy of the labels."""
        return LabelCrossentropy()

    def default_metrics(self) -> list[str]:
        """Return the accuracy."""
        return ["accuracy"]

    def encode(self, clips: Sequence[Clip], labels: Sequence[str] | None = None) -> EncodedDataset:
        """Convert clips and labels to arrays, padded to the longest clip.

        Args:
            clips: Arrays `(frames, *frame_shape)`, uint8.
            labels: Label of each clip, or None.

        Raises:
            InputError: If a clip has no frames, a wrong shape or dtype, or an unknown label. The
                message has its number, counted from 1.
        """
        clips = [np.asarray(clip) for clip in clips]
        for number, clip in enumerate(clips, 1):
            self._check(clip, number)
        lengths = np.array([len(clip) for clip in clips], "int32")
        frames = np.zeros((len(clips), max(lengths, default=0), *self.frame_shape), "uint8")
        for row, clip in zip(frames, clips, strict=True):
            row[: len(clip)] = clip
        inputs = {"frames": frames, "mask": np.arange(frames.shape[1]) < lengths[:, None]}
        if labels is None:
            return EncodedDataset(inputs, None, lengths, list(inputs))
        check_list(labels, "labels")
        if len(labels) != len(clips):
            raise InputError(f"There are {len(clips)} clips but {len(labels)} labels.")
        ids = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(labels, 1):
            if label not in ids:
                raise unknown_name(f"label (clip {number})", label, self.labels)
        targets = np.array([ids[label] for label in labels], "int32")
        return EncodedDataset(inputs, targets, lengths, list(inputs))

    def _check(self, clip: Array, number: int) -> None:
        if clip.ndim != 1 + len(self.frame_shape) or clip.shape[1:] != self.frame_shape:
            raise InputError(
                f"Clip {number} must have the shape (frames, {str(self.frame_shape)[1:]}, got "
                f"{clip.shape}."
            )
        if clip.dtype != np.uint8:
            raise InputError(f"Clip {number} must be uint8, 0 to 255, got {clip.dtype}.")
        if not len(clip):
            raise InputError(f"Clip {number} has no frames.")

    def trace_inputs(self, example: Clip, target: Any = None) -> tuple[Any, list[str]]:
        """Return the inputs of the network for one clip, and labels of its frames.

        Args:
            example: Array `(frames, *frame_shape)`, uint8.
            target: Not used.
        """
        return self.encode([example]).inputs, [f"frame {n}" for n in range(len(example))]

    def classify(self, clips: Sequence[Clip], batch_size: int = 64) -> list[Prediction]:
        """Return the prediction for each clip.

        Args:
            clips: Arrays `(frames, *frame_shape)`, uint8.
            batch_size: Largest number of clips per batch.

        Raises:
            InputError: If a clip has no frames, or a wrong shape or dtype.
        """
        results: dict[int, Prediction] = {}
        for rows, logits in self.predict_by_length(self.encode(clips), batch_size):
            for row, row_logits in zip(rows, logits):
                results[row] = make_prediction(self.labels, row_logits)
        return [results[row] for row in range(len(clips))]

    def predict_per_frame(self, clip: Clip) -> list[Prediction]:
        """Return a prediction after each frame of a clip, from the frames so far.

        Args:
            clip: Array `(frames, *frame_shape)`, uint8.
        """
        return self.classify([clip[:end] for end in range(1, len(clip) + 1)])


def _logits(
    network: tuple[keras.layers.Layer, layers.RNNStack, keras.layers.Layer],
    frames: Tensor,
    mask: Tensor | None,
) -> Tensor:
    encoder, stack, output_layer = network
    x = ops.cast(frames, "float32")
    x = encoder(x if len(x.shape) == 5 else x[..., None])
    if len(x.shape) != 3:
        raise InputError(
            f"The encoder {encoder.name} must return (batch, timesteps, features), got the shape "
            f"{tuple(x.shape)}: wrap a model of single frames in keras_seq.layers.FlattenTime."
        )
    x = stack(x, mask=mask)
    if isinstance(x, (list, tuple)) or len(x.shape) != 2:
        raise InputError(
            f"The stack {stack.name} must return the last output only: set return_sequences=False "
            "and return_state=False."
        )
    return output_layer(x)
