"""What can be set, and the presets."""

import dataclasses

from keras_seq import InputError
from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to one: an encoder sees each frame, the state at the end names the action."""

    frame_size: int = 32
    """Height and width to which the frames of your own videos and of public sets are scaled."""
    rgb: bool = False
    """Keep the colours of these."""
    fps: float = 8.0
    """Frames a second to take of these."""
    max_frames: int = 32
    """Frames to take of each at most, evenly apart."""
    encoder: str = "small"
    """What sees a frame: small, or a model of keras.applications, such as MobileNetV2."""
    pretrained: bool = False
    """Start that model from what it learnt on ImageNet, and leave it so."""
    conv_filters: int = config.tunable(16, choices=(8, 16, 24, 32))
    """Of the first convolution of the small encoder."""
    feature_dim: int = config.tunable(128, choices=(64, 128, 256))
    """Width of what the encoder says of a frame."""
    cell: config.Cell = config.tunable("GRU", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(128, choices=(64, 96, 128, 192))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(1, choices=(1, 2))
    """Recurrent layers."""
    dropout: float = config.tunable(0.4, low=0.0, high=0.6)
    """Share of the features dropped before the first and after each recurrent layer."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.002, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 64
    """Clips an update."""
    steps: int = 3_000
    """Optimizer steps in all, rounded to whole passes over the training clips (epochs)."""

    def __post_init__(self):
        super().__post_init__()
        for name in ("frame_size", "fps", "max_frames"):
            if getattr(self, name) <= 0:
                raise InputError(f"--{name.replace('_', '-')} must be more than 0.")


PRESETS = {
    "default": Config(),
    # For videos of your own: what sees a frame comes from ImageNet.
    "imagenet": Config(frame_size=96, rgb=True, encoder="MobileNetV2", pretrained=True),
}
