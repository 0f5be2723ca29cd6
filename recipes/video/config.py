"""Settings of the recipe, and its presets."""

import dataclasses

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.ClassifierConfig):
    """Many to one: an encoder reads frames, and the last recurrent state classifies the action."""

    frame_size: config.PositiveInt = 32
    """Height and width of the frames, in pixels. Only for your own videos and TFDS."""
    rgb: bool = False
    """Read frames in color instead of gray. Only for your own videos and TFDS."""
    fps: config.PositiveFloat = 8.0
    """Frames per second to read. Only for your own videos and TFDS."""
    max_frames: config.PositiveInt = 32
    """Maximum number of frames per clip, evenly spaced. Only for your own videos and TFDS."""
    image_fps: config.PositiveFloat = 25.0
    """Frame rate of your own clips that are folders with one image per frame."""
    conv_filters: config.PositiveInt = config.tunable(16, choices=(8, 16, 24, 32))
    """Filters of the first convolution of the small encoder."""
    encoder: str = "small"
    """Frame encoder: small, or a model of keras.applications, such as MobileNetV2."""
    pretrained: bool = False
    """Load ImageNet weights into a model of keras.applications, and freeze them."""
    feature_dim: config.PositiveInt = config.tunable(128, choices=(64, 128, 256))
    """Size of the vector that the encoder returns for a frame."""
    cell: config.Cell = config.tunable("GRU", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(128, choices=(64, 96, 128, 192))
    """Hidden units per layer."""
    num_layers: config.PositiveInt = config.tunable(1, choices=(1, 2))
    """Number of recurrent layers."""
    dropout: config.Probability = config.tunable(0.4, low=0.0, high=0.6)
    """Dropout rate before the first and after each recurrent layer, 0 to 1."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.002, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 64
    steps: config.PositiveInt | None = 3_000

    hub_task = "video-classification"


PRESETS = {
    "default": Config(),
    # For your own videos, with an encoder trained on ImageNet.
    "imagenet": Config(frame_size=96, rgb=True, encoder="MobileNetV2", pretrained=True),
}
