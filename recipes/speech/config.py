"""Settings of the recipe, and its presets."""

import dataclasses
from typing import Annotated, Literal

from keras_seq.data.opening import check_folder
from keras_seq.train import config

STEP_SECONDS = 0.01
"""Time from one spectrogram frame to the next, in seconds."""


@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    """Many to fewer: recurrent layers read a log-mel spectrogram, trained by CTC."""

    sample_rate: Annotated[int, config.Range(2_000, is_integer=True)] = 16_000
    """Sampling rate in Hz, at least 2000. Audio at other rates is resampled."""
    encoding: config.Encoding = "utf-8"
    """Encoding of your own tables and transcripts."""
    delimiter: config.Delimiter | None = None
    """Delimiter in your own tables: one character or "tab". Default: detected."""
    file_column: config.Name = "file"
    """Column of the audio files in your own tables. Without this column, one of a common name."""
    text_column: config.Name = "text"
    """Column of the transcripts in your own tables; empty for silence. Without this column, one of
    a common name, such as sentence or transcript."""
    audio_folder: config.Name | None = None
    """Folder with all audio files that your own tables and lists name. Default: that of the table.
    Files outside of it are not read."""
    alphabet: config.Name | None = None
    """Characters of the transcripts, including the space. Default: those of the training split."""
    lowercase: bool = True
    """Convert transcripts to lower case."""
    remove_punctuation: bool = False
    """Replace punctuation in transcripts by blanks, except apostrophes in words and separators in
    numbers."""
    unicode_form: Literal["NFC", "NFKC"] | None = None
    """Unicode normalization of transcripts, so that letters with accents are one character."""
    max_hours: config.PositiveFloat = 10.0
    """Maximum hours of audio to read from each split of a public dataset; it is kept in memory."""
    frame_stack: config.PositiveInt = config.tunable(3, choices=(2, 3, 4))
    """Spectrogram frames per time step, 10 ms each."""
    conv_filters: config.NonNegativeInt = config.tunable(16, choices=(0, 16, 32, 64))
    """Filters of the convolution over mel bands; 0 for no convolution."""
    cell: config.Cell = config.tunable("GRU", choices=config.CELLS)
    """Recurrent cell."""
    units: config.PositiveInt = config.tunable(128, choices=(64, 96, 128, 192, 256))
    """Hidden units per layer and direction."""
    num_layers: config.PositiveInt = config.tunable(2, choices=(1, 2, 3))
    """Number of recurrent layers."""
    bidirectional: bool = True
    """Read in both directions. Streaming needs `--no-bidirectional`."""
    dropout: config.Probability = config.tunable(0.1, low=0.0, high=0.5)
    """Dropout rate after each recurrent layer, 0 to 1."""
    max_warp: Annotated[float, config.Range(0, below=1)] = config.tunable(0.15, low=0.0, high=0.25)
    """Maximum relative shift of frequencies during training (vocal tract length perturbation)."""
    telephone_prob: config.Probability = config.tunable(0.25, low=0.0, high=0.5)
    """Probability that a training recording is changed as by a telephone line."""
    num_masks: config.NonNegativeInt = config.tunable(0, choices=(0, 1, 2))
    """Number of frequency masks, and of time masks, per recording in training (SpecAugment)."""
    weight_decay: config.NonNegativeFloat = config.tunable(0.01, low=0.001, high=0.1, log=True)
    """Decoupled weight decay, relative to the learning rate."""
    learning_rate: config.PositiveFloat = config.tunable(0.005, low=0.0005, high=0.01, log=True)
    """Peak learning rate."""
    batch_size: config.PositiveInt = 32
    steps: config.PositiveInt | None = 3_500
    keep_best: bool = False

    monitor = "wer"
    mode = "min"
    hub_task = "automatic-speech-recognition"

    def check_files(self) -> None:
        super().check_files()
        if self.audio_folder is not None:
            check_folder(self.audio_folder)


PRESETS = {
    "default": Config(),
    "streaming": Config(bidirectional=False, units=256),
}
