"""What can be set, and the presets."""

import dataclasses

from keras_seq import recipe


@dataclasses.dataclass(frozen=True)
class Config(recipe.Seq2SeqConfig):
    """Many to many, unaligned: one network reads the letters, another writes the phonemes."""

    encoding: str = "utf-8"
    """Of files of your own."""
    stress: bool = False
    """Keep the stress of vowels, which the built-in lexicon has as digits."""
    batch_size: int = 256
    """Pronunciations an update."""
    updates: int = 3_300
    """Optimizer steps in all, rounded to whole passes over the training words (epochs)."""

    objective = "wer"
    less_is_better = True


PRESETS = {
    "default": Config(),
    "stress": Config(stress=True),
    "large": Config(layers=2, updates=8_500),
}
