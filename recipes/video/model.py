"""Model of the recipe: a `VideoClassifier`."""

import keras

from keras_seq import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.layers import ApplicationFrameEncoder, RNNStack, SmallFrameEncoder
from keras_seq.models import VideoClassifier
from keras_seq.train.optimizers import adam_w

from .config import Config


def build(config: Config, train: RawExamples) -> VideoClassifier:
    """Return a compiled classifier for the labels and frame shape of the training clips.

    Args:
        config: Config of the run.
        train: Training clips.

    Raises:
        InputError: If all clips have the same label.
    """
    labels = sorted(set(train.targets))
    if len(labels) < 2:
        raise InputError(
            f"All training clips have the label {labels[0]!r}; a classifier needs two or more."
        )
    stack = RNNStack(
        config.cell,
        config.units,
        config.num_layers,
        dropout=config.dropout,
        return_sequences=False,
        name="stack",
    )
    model = VideoClassifier(
        labels,
        train.inputs[0].shape[1:],
        _encoder(config),
        stack,
        frame_sampling={
            "fps": config.fps,
            "max_frames": config.max_frames,
            "image_fps": config.image_fps,
        },
    )
    model.compile(adam_w(config.learning_rate, config.steps, config.weight_decay))
    return model


def _encoder(config: Config) -> keras.layers.Layer:
    """Return the frame encoder that the config names."""
    if config.encoder == "small":
        return SmallFrameEncoder(config.conv_filters, config.feature_dim, name="encoder")
    return ApplicationFrameEncoder(
        config.encoder,
        config.feature_dim,
        weights="imagenet" if config.pretrained else None,
        freeze=config.pretrained,
        name="encoder",
    )


def encode(model: VideoClassifier, examples: RawExamples) -> EncodedDataset:
    """Return clips and labels as arrays to train on."""
    return model.encode(examples.inputs, examples.targets)
