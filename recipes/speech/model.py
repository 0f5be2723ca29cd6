"""Model of the recipe: a `CTCRecognizer` over the characters of the training transcripts."""

from collections.abc import Iterable

from keras_seq import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.layers import (
    BackgroundNoise,
    BandConvolution,
    FrontEnd,
    LogMelSpectrogram,
    RNNStack,
    SpecAugment,
    TelephoneChannel,
    VocalTractLengthPerturbation,
)
from keras_seq.models import CTCRecognizer
from keras_seq.text.merging import merge_names
from keras_seq.train.optimizers import muon

from .config import STEP_SECONDS, Config

FRAME_SECONDS, NUM_MEL_BINS = 0.025, 40
"""Length of the spectrogram frames in seconds, and number of mel bands."""
ADD_NOISE = True
"""Add colored noise or babble during training, at a signal-to-noise ratio of 5 to 15 dB."""
AVERAGE_OFFSETS = True
"""Average predictions over all frame offsets (test-time augmentation)."""
USE_LEXICON = True
"""Restrict transcripts to words of the training split."""
ADAPT_RECORDINGS = 500
"""Number of recordings from which the mean and standard deviation of mel bands are computed."""


def build(
    config: Config, train: RawExamples, initial: CTCRecognizer | None = None
) -> CTCRecognizer:
    """Return a compiled recognizer for the characters of the training transcripts.

    Args:
        config: Config of the run.
        train: Training recordings.
        initial: Trained model whose characters the model keeps, or None.

    Raises:
        InputError: If no recording has a transcript.
    """
    alphabet = config.alphabet or "".join(sorted(set("".join(train.targets))))
    if initial is not None and not config.alphabet:
        alphabet = "".join(merge_names(initial.alphabet, alphabet))
    if not alphabet:
        raise InputError("No training recording has a transcript; add one to the table.")
    warping = channel = None
    if config.max_warp:
        warping = VocalTractLengthPerturbation(config.max_warp, max_freq=config.sample_rate / 2)
    if config.telephone_prob:
        channel = TelephoneChannel(config.telephone_prob, max_freq=config.sample_rate / 2)
    front_end = FrontEnd(
        LogMelSpectrogram(
            config.sample_rate,
            frame_length=round(FRAME_SECONDS * config.sample_rate),
            frame_step=round(STEP_SECONDS * config.sample_rate),
            num_mel_bins=NUM_MEL_BINS,
        ),
        frame_stack=config.frame_stack,
        noise=BackgroundNoise() if ADD_NOISE else None,
        warping=warping,
        masking=SpecAugment(config.num_masks) if config.num_masks else None,
        channel=channel,
        mean_normalize=config.bidirectional,
        average_offsets=AVERAGE_OFFSETS,
        name="front_end",
    )
    stack = RNNStack(
        config.cell,
        config.units,
        config.num_layers,
        config.bidirectional,
        dropout=[0.0, *[config.dropout] * config.num_layers],
        normalization=True,
        name="stack",
    )
    model = CTCRecognizer(
        alphabet,
        front_end,
        [BandConvolution(config.frame_stack, config.conv_filters)] if config.conv_filters else [],
        stack,
        lexicon=_words(train.targets, alphabet) if USE_LEXICON else None,
    )
    model.adapt(train.inputs[:ADAPT_RECORDINGS])
    optimizer = muon(config.learning_rate, config.steps, config.weight_decay, output="logits")
    model.compile(optimizer)
    return model


def _words(texts: Iterable[str], alphabet: str) -> list[str]:
    """Return the words of texts that consist of characters of the alphabet."""
    return sorted(word for word in {*" ".join(texts).split()} if {*word} <= {*alphabet})


def encode(model: CTCRecognizer, examples: RawExamples) -> EncodedDataset:
    """Return recordings and transcripts as arrays to train on."""
    return model.encode(examples.inputs, examples.targets, padded=False)
