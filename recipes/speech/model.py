"""The model: a CTC recognizer over the letters of the training texts."""

from keras_seq import InputError
from keras_seq.batching import EncodedDataset, RawExamples
from keras_seq.layers import (
    BackgroundNoise,
    BandConvolution,
    FrontEnd,
    LogMelSpectrogram,
    RNNStack,
    SpecAugment,
    VocalTractLengthPerturbation,
)
from keras_seq.models import CTCRecognizer
from keras_seq.train.optimizers import muon

from .config import Config

WINDOW, HOP, NUM_MEL_BINS = 0.025, 0.01, 40
"""Length of a frame of the spectrogram and time from frame to frame, in seconds; its bands."""
ADD_NOISE = True
"""Add noise in training, 5 to 15 dB below the speech: white to brown, or babble."""
AVERAGE_OFFSETS = True
"""Average the predictions over all frame offsets of a time step."""
USE_LEXICON = True
"""Restrict transcripts to words of the training texts."""
ENOUGH = 500
"""Recordings by which the bands of the spectrogram are made even."""


def build(config: Config, train: RawExamples) -> CTCRecognizer:
    """Return a recognizer that writes the letters of the training texts."""
    alphabet = config.alphabet or "".join(sorted(set("".join(train.targets))))
    if not alphabet:
        raise InputError("No training recording has a text, so that there is nothing to learn.")
    front_end = FrontEnd(
        LogMelSpectrogram(
            config.sample_rate,
            frame_length=round(WINDOW * config.sample_rate),
            frame_step=round(HOP * config.sample_rate),
            num_mel_bins=NUM_MEL_BINS,
        ),
        frame_stack=config.frame_stack,
        noise=BackgroundNoise() if ADD_NOISE else None,
        warping=VocalTractLengthPerturbation(config.max_warp, max_freq=config.sample_rate / 2)
        if config.max_warp
        else None,
        masking=SpecAugment(config.num_masks) if config.num_masks else None,
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
    model.adapt(train.inputs[:ENOUGH])
    optimizer = muon(config.learning_rate, config.steps, config.weight_decay, output="logits")
    model.compile(optimizer)
    return model


def _words(texts, alphabet):
    """The words of texts that the alphabet has all letters of."""
    return sorted(word for word in {*" ".join(texts).split()} if {*word} <= {*alphabet})


def encode(model: CTCRecognizer, examples: RawExamples) -> EncodedDataset:
    """Return recordings and texts as the model is trained on them."""
    return model.encode(examples.inputs, examples.targets, padded=False)
