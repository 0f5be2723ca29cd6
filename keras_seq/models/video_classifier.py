"""Many to one: what happens in a video."""

import inspect
from typing import NamedTuple

import keras
import numpy as np
from keras import ops

from keras_seq import layers
from keras_seq._internal.errors import InputError, unknown
from keras_seq.batching import Examples, by_length, filled

SMALL = "small"
"""The name of the encoder that is no application of Keras."""


class Seen(NamedTuple):
    """What a clip shows, and how sure the model is."""

    label: str
    probability: float
    probabilities: dict
    """Of every label."""


@keras.saving.register_keras_serializable(package="keras_seq")
class VideoClassifier(keras.Model):
    """A convolutional encoder of each frame, recurrent layers over time, and a softmax.

        classifier = VideoClassifier((32, 32), ["falls", "rises"])
        classifier.compile("adam", loss=classifier.loss_of_labels)
        examples = classifier.encode(clips, labels)
        classifier.fit(examples.inputs, examples.targets)
        classifier.classify(clips)

    It is a `keras.Model` from a dict of `frames`, `(batch, timesteps, *frame)`, and `mask`,
    `(batch, timesteps)`, False where there is no frame, to logits, `(batch, labels)`; `encode`
    makes the dict, `classify` takes clips.

    Args:
        frame: Shape of a frame: (height, width), or (height, width, 3), of values 0..255.
        labels: What a clip can show; at least two.
        encoder: "small" (convolutions that halve height and width until they are 4 or less), or
            the name of a model in `keras.applications`, such as "MobileNetV2".
        frozen: Whether the weights of such a model stay as they are, see `start_from_imagenet`.
        pairs: Whether the small encoder sees, beside each frame, what has changed since the one
            before, so that what moves stands out. Of the first frame nothing has.
        channels: Of the first convolution of the small encoder; each has twice those of the one
            before, at most four times these.
        features: Width of what the encoder says of a frame.
        cell: Name of the recurrent layer in `keras_seq.layers`.
        units: Units a layer and direction.
        depth: Number of recurrent layers.
        bidirectional: Whether each layer reads from both ends.
        dropout: Share of the features dropped before the first and after each recurrent layer.
        sampling: How clips are taken from videos, for those who ask the model: `rate` and `most` of
            `keras_seq.data.read_video`.
    """

    def __init__(
        self,
        frame,
        labels,
        *,
        encoder=SMALL,
        frozen=False,
        pairs=True,
        channels=16,
        features=128,
        cell="GRU",
        units=96,
        depth=1,
        bidirectional=False,
        dropout=0.2,
        sampling=None,
        name="video_classifier",
    ):
        arguments = {k: v for k, v in locals().items() if k not in ("self", "__class__")}
        frame = tuple(frame)
        if len(labels) < 2:
            raise InputError(f"A VideoClassifier needs at least two labels, got {len(labels)}.")
        if len(frame) not in (2, 3) or frame[2:] not in ((), (3,)):
            raise InputError(f"A frame is (height, width) or (height, width, 3), not {frame}.")
        pairs = pairs and encoder == SMALL
        *size, colours = (*frame, 1)[:3]
        if encoder == SMALL:
            eye = _small((*size, colours * (1 + pairs)), channels, features)
        else:
            eye = _application(encoder, (*size, colours), frozen, features)
        steps = [layers.FlattenTime(eye, name="frame_by_frame")]
        for number in range(depth):
            steps.append(keras.layers.Dropout(dropout, name=f"dropout_{number}"))
            layer = getattr(layers, cell)(
                units, return_sequences=number + 1 < depth, name=f"recurrent_{number}"
            )
            if bidirectional:
                layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
            steps.append(layer)
        steps.append(keras.layers.Dropout(dropout, name=f"dropout_{depth}"))
        steps.append(keras.layers.Dense(len(labels), name="logits"))

        def logits(frames, mask=None):
            x = ops.cast(frames, "float32")
            x = x if len(frame) == 3 else x[..., None]
            if pairs:
                before = ops.concatenate([x[:, :1], x[:, :-1]], axis=1)
                x = ops.concatenate([x, x - before], axis=-1)
            for step in steps:
                recurrent = isinstance(step, keras.layers.RNN | keras.layers.Bidirectional)
                x = step(x, mask=mask) if recurrent else step(x)
            return x

        frames = keras.Input((None, *frame), dtype="uint8", name="frames")
        mask = keras.Input((None,), dtype="bool", name="mask")
        super().__init__({"frames": frames, "mask": mask}, logits(frames, mask), name=name)
        self._unpadded = keras.Model(frames, logits(frames))
        self._arguments = arguments
        self.labels, self.frame, self.sampling = list(labels), frame, dict(sampling or {})
        self.loss_of_labels = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def start_from_imagenet(self):
        """Gives the encoder, an application of Keras, the weights that Keras offers for it.

        Raises:
            InputError: The encoder is no application, or the weights cannot be fetched.
        """
        name = self._arguments["encoder"]
        if name == SMALL:
            raise InputError("The small encoder has no weights that were trained before.")
        try:
            trained = _applications()[name][0](include_top=False, weights="imagenet")
        except Exception as error:
            # keras.utils.get_file raises `Exception` itself without a network.
            if type(error) is not Exception and not isinstance(error, OSError | ValueError):
                raise
            raise InputError(f"The weights of {name} cannot be fetched: {error}") from error
        eye = self.get_layer("frame_by_frame").layer
        eye.get_layer("application").set_weights(trained.get_weights())

    def encode(self, clips, labels=None):
        """Clips as the model takes them, all padded to the longest.

        Args:
            clips: Arrays (frames, *frame), uint8.
            labels: One a clip.

        Returns:
            `keras_seq.batching.Examples`; `targets` is None without labels.

        Raises:
            InputError: A clip has no frames or others than the model reads, or a label is unknown;
                the message gives its number.
        """
        clips = [np.asarray(clip) for clip in clips]
        for number, clip in enumerate(clips, 1):
            if clip.ndim != 1 + len(self.frame) or clip.shape[1:] != self.frame:
                raise InputError(
                    f"Clip {number} has the shape {clip.shape}; the model reads frames of "
                    f"{self.frame}, so that it must be (frames, {str(self.frame)[1:]}."
                )
            if clip.dtype != np.uint8:
                raise InputError(f"Clip {number} is of {clip.dtype}; it must be uint8, 0 to 255.")
            if not len(clip):
                raise InputError(f"Clip {number} has no frames.")
        lengths = np.array([len(clip) for clip in clips], "int32")
        frames = np.zeros((len(clips), max(lengths), *self.frame), "uint8")
        for row, clip in enumerate(clips):
            frames[row, : len(clip)] = clip
        inputs = {"frames": frames, "mask": np.arange(max(lengths)) < lengths[:, None]}
        if labels is None:
            return Examples(inputs, None, lengths)
        numbers = {label: number for number, label in enumerate(self.labels)}
        for number, label in enumerate(labels, 1):
            if label not in numbers:
                raise unknown(f"label (clip {number})", label, self.labels)
        return Examples(inputs, np.array([numbers[label] for label in labels], "int32"), lengths)

    def classify(self, clips, batch_size=64):
        """What clips show.

        Args:
            clips: Arrays (frames, *frame), uint8.
            batch_size: Clips to work on together; those of like length are.

        Returns:
            A list of `Seen`.
        """
        examples = self.encode(clips)
        results = [None] * len(clips)
        for rows, wide in by_length(examples.lengths, batch_size):
            logits = self.predict_on_batch(filled(examples.inputs, rows, wide))
            for row, chances in zip(rows, ops.convert_to_numpy(ops.softmax(logits)).tolist()):
                best = int(np.argmax(chances))
                by_label = dict(zip(self.labels, chances))
                results[row] = Seen(self.labels[best], chances[best], by_label)
        return results

    def over_time(self, clip):
        """What the model would have said after each frame: a list of `Seen`."""
        return self.classify([clip[:end] for end in range(1, len(clip) + 1)])

    def get_config(self):
        return dict(self._arguments)

    @classmethod
    def from_config(cls, config, custom_objects=None):
        return cls(**config)


def _small(shape, channels, features):
    """Convolutions that halve height and width until they are 4 or less, from values 0..255."""
    frame = keras.Input(shape, name="frame")
    x = keras.layers.Rescaling(1 / 127.5)(frame)
    width = channels
    while max(x.shape[1:3]) > 4:
        x = keras.layers.Conv2D(width, 3, 2, padding="same", activation="relu")(x)
        width = min(2 * width, 4 * channels)
    x = keras.layers.Dense(features, activation="relu")(keras.layers.Flatten()(x))
    return keras.Model(frame, x, name="encoder")


def _application(name, shape, frozen, features):
    """A model of `keras.applications`, from values 0..255."""
    known = _applications()
    if name not in known:
        raise unknown("encoder", name, [SMALL, *known])
    make, prepare = known[name]
    frame = keras.Input(shape, name="frame")
    x = frame if shape[-1] == 3 else ops.repeat(frame, 3, axis=-1)
    body = make(
        include_top=False, weights=None, input_shape=x.shape[1:], pooling="avg", name="application"
    )
    body.trainable = not frozen
    x = keras.layers.Dense(features, activation="relu")(body(prepare(x)))
    return keras.Model(frame, x, name="encoder")


def _applications():
    """Name of a model in `keras.applications` to what makes it, and what prepares its inputs."""
    modules = [m for _, m in inspect.getmembers(keras.applications, inspect.ismodule)]
    return {
        name: (make, module.preprocess_input)
        for module in modules
        for name, make in inspect.getmembers(module, inspect.isfunction)
        if hasattr(module, "preprocess_input") and name[0].isupper()
    }
