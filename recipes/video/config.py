"""Settings of the recipe, and its presets."""

import dataclasses

from keras_seq import InputError
from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: an encoder reads frames, and the last recurrent state classifies the action."""

    frame_size: int = 32
    """Height and width of the frames, in pixels. Only for your own videos and TFDS."""
    rgb: bool = False
    """Read frames in color instead of gray. Only for your own videos and TFDS."""
    fps: float = 8.0
    """Frames per second to read. Only for your own videos and TFDS."""
    max_frames: int = 32
    """Maximum number of frames per clip, evenly spaced. Only for your own videos and TFDS."""
    encoder: str = "small"
    """Frame encoder: small, or a model of keras.applications, such as MobileNetV2."""
    pretrained: bool = False
    """Load ImageNet weights into a model of keras.applications, and freeze them."""
    conv_filters: int = config.tunable(16, choices=(8, 16, 24, 32))
    """Filters of the first convolution of the small encoder."""
    feature_dim: int = config.tunable(128, choices=(64, 128, 256))
    """Size of the vector that the encoder returns for a frame."""
    cell: config.Cell = config.tunable("GRU", choices=config.CELLS)
    """Recurrent cell."""
    units: int = config.tunable(128, choices=(64, 96, 128, 192))
    """Hidden units per layer."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Number of recurrent layers."""
    dropout: float = config.tunable(0.4, low=0.0, high=0.6)
    """Dropout rate before the first and after each recurrent layer, 0 to 1."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay (AdamW), relative to the learning rate."""
    learning_rate: float = config.tunable(0.002, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: int = 64
    steps: int = 3_000

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("frame_size", "fps", "max_frames"):
            if (value := getattr(self, name)) <= 0:
                option = f"--{name.replace('_', '-')}"
                raise InputError(f"{option} must be more than 0, got {value}.")


PRESETS = {
    "default": Config(),
    # For your own videos, with an encoder trained on ImageNet.
    "imagenet": Config(frame_size=96, rgb=True, encoder="MobileNetV2", pretrained=True),
}
