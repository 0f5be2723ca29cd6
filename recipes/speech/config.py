"""What can be set, and the presets."""

import dataclasses

from keras_seq.train import config


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to fewer: recurrent layers read a spectrogram, CTC says which letters there are."""

    sample_rate: int = 16_000
    """Samples a second; sound of another rate is resampled."""
    encoding: str = "utf-8"
    """Of tables of your own."""
    file_column: str = "file"
    """Of tables of your own: where the sound is, seen from the table."""
    text_column: str = "text"
    """Of tables of your own: what is said; nothing for silence."""
    alphabet: str | None = None
    """Letters that may be written, the blank between words too; those of the training texts if
    not given."""
    lowercase: bool = True
    """Write small letters only."""
    max_hours: float = 10.0
    """Of each split of a set of TFDS at most, since sound is held in memory."""
    frame_stack: int = config.tunable(3, choices=(2, 3, 4))
    """Frames that make a time step."""
    conv_filters: int = config.tunable(16, choices=(0, 16, 32, 64))
    """Of a convolution over the bands of each time step; 0 for none."""
    cell: config.Cell = config.tunable("GRU", choices=config.CELLS)
    """The recurrent cell."""
    units: int = config.tunable(128, choices=(64, 96, 128, 192, 256))
    """Hidden units a layer and direction."""
    num_layers: int = config.tunable(2, choices=(1, 2, 3))
    """Recurrent layers."""
    bidirectional: bool = True
    """Read from both ends; if not, the model can recognize while it hears."""
    dropout: float = config.tunable(0.1, low=0.0, high=0.5)
    """Share of the features dropped after each recurrent layer."""
    max_warp: float = config.tunable(0.15, low=0.0, high=0.25)
    """Share by which frequencies are higher or lower in training, at most."""
    num_masks: int = config.tunable(0, choices=(0, 1, 2))
    """How many bands, and stretches of time, are blotted out in training."""
    weight_decay: float = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Of all weights, an update, in units of the learning rate."""
    learning_rate: float = config.tunable(0.005, low=0.0005, high=0.01, log=True)
    """The highest of the schedule."""
    batch_size: int = 32
    """Recordings an update."""
    steps: int = 3_500
    """Optimizer steps in all, rounded to whole passes over the training recordings (epochs)."""
    keep_best: bool = False
    """Keep the weights of the epoch that did best on the validation split, not the last."""

    monitor = "wer"
    mode = "min"


PRESETS = {
    "default": Config(),
    "streaming": Config(bidirectional=False, units=256),
}
