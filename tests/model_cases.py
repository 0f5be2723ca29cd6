"""Cases of the conformance suite of models: each model on a handful of examples."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from keras_seq import layers, text
from keras_seq.models import (
    AuxiliaryTags,
    CTCRecognizer,
    Seq2Seq,
    SequenceClassifier,
    SequenceGenerator,
    SequenceTagger,
    VideoClassifier,
)

MakeModel = Callable[[], keras.Model]


class ModelCase(NamedTuple):
    """One model, how to use it, and its expected results after training."""

    plain: MakeModel
    """Function to a model with few options and without dropout."""
    full: MakeModel
    """Function to a model with many options."""
    examples: Sequence
    """Raw inputs, at least two."""
    targets: Any
    """Raw targets for `fit`."""
    expected: list
    """Expected result of `predict` on the examples after training."""
    predict: Callable
    """Function from a model and examples to a list of results."""
    scores: Callable
    """Function from a model and examples to an array per example."""
    exported: Callable
    """Function from a loaded SavedModel and examples to a list of results."""
    mistakes: dict[str, tuple[Callable, str]]
    """Name of a mistake to a call with it on a model, and a pattern of the error message."""
    full_targets: Any = None
    """Raw targets of the model with many options, where they differ."""
    adapt: Callable | None = None
    """Function that adapts a model before training, or None."""
    search: Callable | None = None
    """`predict` with another search, or None."""
    learning_rate: float = 0.05


def to_strings(tensor):
    return [item.decode() for item in tensor.numpy()]


# SequenceTagger

SENTENCES = ["Ada met Grace .", "met .", "Grace Ada met Ada Grace", "Grace ."]
TAGS = [
    ["S-PER", "O", "S-PER", "O"],
    ["O", "O"],
    ["B-PER", "E-PER", "O", "B-PER", "E-PER"],
    ["S-PER", "O"],
]
PARTS_OF_SPEECH = [
    ["verb" if word == "met" else "noun" for word in text.split()] for text in SENTENCES
]
WORDS = text.TextEncoder(["Ada", "met", "Grace", "."])


def plain_tagger():
    stack = layers.RNNStack("LSTM", 8, bidirectional=True)
    return SequenceTagger(
        WORDS, text.TagSet(["PER"]), features=[layers.TokenEmbedding(WORDS, 8)], stack=stack
    )


def full_tagger():
    pairs = [WORDS.encode(["Ada", "Grace"]), WORDS.encode(["Grace", "Ada"])]
    tags, sentences = text.TagSet(["PER"]), [words.split() for words in SENTENCES]
    return SequenceTagger(
        WORDS,
        tags,
        features=[
            layers.TokenEmbedding(WORDS, 8),
            layers.BigramEmbedding(pairs, 2),
            layers.CharEncoder(3),
        ],
        stack=[
            layers.RNNStack("GRU", 8, bidirectional=True, dropout=0.1),
            layers.RNNStack("LSTM", 16, residual=True, normalization=True),
        ],
        experts=[layers.TemplateFeatures.from_examples(sentences, len(tags), dropout=0.1)],
        auxiliary=AuxiliaryTags(["noun", "verb"], dropout=0.1),
    )


def tag_exported(loaded, texts):
    outputs, results = loaded.tag(texts), []
    for tokens, tags in zip(outputs["tokens"].numpy(), outputs["tags"].numpy(), strict=True):
        tokens = [token.decode() for token in tokens if token]
        tags = [tag.decode() for tag in tags[: len(tokens)]]
        spans = text.tags_to_spans(tags, "IOBES", strict=False)
        results.append([" ".join(tokens[span.start : span.end]) for span in spans])
    return results


TAGGER = ModelCase(
    plain_tagger,
    full_tagger,
    examples=SENTENCES,
    targets=TAGS,
    full_targets={"tags": TAGS, "auxiliary": PARTS_OF_SPEECH},
    expected=[["Ada", "Grace"], [], ["Grace Ada", "Ada Grace"], ["Grace"]],
    predict=lambda model, texts: [[span.text for span in spans] for spans in model.tag(texts)],
    scores=lambda model, texts: [scores for _, scores in model.tag_tokens(texts)],
    exported=tag_exported,
    mistakes={
        "one text": (lambda model: model.tag("Ada"), "takes a list of texts"),
        "unknown tag": (lambda model: model.encode(["Ada"], [["S-LOC"]]), "Text 1: .*'S-LOC'"),
        "no text": (lambda model: model.encode(["Ada", " "]), "Text 2 is empty"),
        "no label": (lambda model: text.TagSet([]), "label"),
    },
)

# SequenceClassifier

GOOD_OR_BAD = ["good", "bad", "good", "bad"]


def plain_classifier():
    return SequenceClassifier(
        WORDS,
        ["bad", "good"],
        features=[layers.TokenEmbedding(WORDS, 8)],
        stack=layers.RNNStack("LSTM", 8, bidirectional=True),
        dropout=0.0,
    )


def full_classifier():
    return SequenceClassifier(
        WORDS,
        ["bad", "good"],
        features=[
            layers.TokenEmbedding(WORDS, 8),
            layers.BigramEmbedding([WORDS.encode(["Ada", "met"])], 2),
        ],
        convolution=layers.MaskedConv1D(8, 3, name="convolution"),
        stack=layers.RNNStack("GRU", 8, 2, bidirectional=True, dropout=0.1),
        pooling=layers.MaxPooling(),
        experts=[
            layers.NaiveBayesExpert(WORDS.vocab_size, 2, name="naive_bayes"),
            layers.CharNgramExpert(2, num_buckets=64),
        ],
        mixture="mean",
        word_dropout=0.1,
    )


def probabilities(predictions):
    return [np.array(list(prediction.probabilities.values())) for prediction in predictions]


CLASSIFIER = ModelCase(
    plain_classifier,
    full_classifier,
    examples=SENTENCES,
    targets=GOOD_OR_BAD,
    expected=GOOD_OR_BAD,
    adapt=lambda model: model.adapt_experts(SENTENCES, GOOD_OR_BAD),
    predict=lambda model, texts: [prediction.label for prediction in model.classify(texts)],
    scores=lambda model, texts: probabilities(model.classify(texts)),
    exported=lambda loaded, texts: to_strings(loaded.classify(texts)["labels"]),
    mistakes={
        "one text": (lambda model: model.classify("Ada"), "list of texts"),
        "no text": (lambda model: model.classify(["Ada", " "]), "Text 2 is empty"),
        "unknown label": (lambda model: model.encode(["Ada"], ["fair"]), "text 1.* 'fair'"),
        "one label": (lambda model: SequenceClassifier(WORDS, ["a"]), "at least two labels"),
    },
)

# SequenceGenerator

RHYMES = ["abcd", "bad", "cab dab", "dabba"]
RHYME_ENCODER = text.TextEncoder.from_examples(RHYMES, "char", end=True)


def plain_generator():
    return SequenceGenerator(
        RHYME_ENCODER,
        embedding=layers.TokenEmbedding(RHYME_ENCODER, 8),
        stack=layers.RNNStack("LSTM", 16, return_state=True),
    )


def full_generator():
    counts = layers.KneserNey(RHYME_ENCODER.vocab_size, order=3)
    counts.adapt(RHYME_ENCODER.encode_batch(RHYMES, start=True, end=True).ids)
    return SequenceGenerator(
        RHYME_ENCODER,
        embedding=layers.TokenEmbedding(RHYME_ENCODER, 8),
        stack=layers.RNNStack("GRU", 16, 2, dropout=0.1, return_state=True),
        features=[
            layers.CausalNgramFeatures(3, 64, 4, dropout=0.1),
            layers.LongestMatchEmbedding(RHYME_ENCODER.vocab_size, 4),
        ],
        count_model=counts,
        tie_embeddings=True,
    )


def continue_texts(model, texts, **options):
    """Return continuations of the first character of each text."""
    return model.generate([text[:1] for text in texts], max_length=9, **options)


GENERATOR = ModelCase(
    plain_generator,
    full_generator,
    examples=RHYMES,
    targets=None,
    expected=RHYMES,
    predict=lambda model, texts: continue_texts(model, texts, temperature=0),
    search=lambda model, texts: continue_texts(model, texts, beam_width=3),
    scores=lambda model, texts: model.log_probs(texts),
    exported=lambda loaded, texts: to_strings(
        loaded.generate([text[:1] for text in texts], 9, 0.0, 0)["texts"]
    ),
    mistakes={
        "one text": (lambda model: model.generate("ab"), "list of texts"),
        "unknown letter": (lambda model: model.generate(["a", "bxa"]), "Prompt 2 .* 'x'"),
        "no styles": (lambda model: model.encode(["a"], ["loud"]), "has no styles"),
        "no end": (lambda model: SequenceGenerator(WORDS), "end=True"),
        "no counts": (
            lambda model: SequenceGenerator(
                RHYME_ENCODER, count_model=layers.KneserNey(RHYME_ENCODER.vocab_size, 3)
            ),
            "call adapt",
        ),
    },
)

# CTCRecognizer

TRANSCRIPTS = ["a", "b", "ab", "bba"]


def tones(characters):
    """Return a recording: a tone of 0.12 s per character, with pauses of 0.05 s."""
    times, noise = np.arange(480) / 4_000, np.random.default_rng(0)
    parts = [np.zeros(200)]
    for character in characters:
        frequency = {"a": 400, "b": 1_200}[character]
        parts += [0.3 * np.sin(2 * np.pi * frequency * times), np.zeros(200)]
    samples = np.concatenate(parts)
    return (samples + noise.normal(0, 0.01, len(samples))).astype("float32")


RECORDINGS = [tones(transcript) for transcript in TRANSCRIPTS]


def plain_recognizer():
    front_end = layers.FrontEnd(
        layers.LogMelSpectrogram(4_000, frame_length=100, frame_step=40, num_mel_bins=12)
    )
    return CTCRecognizer("ab ", front_end, stack=layers.RNNStack("LSTM", 16, bidirectional=True))


def full_recognizer():
    front_end = layers.FrontEnd(
        layers.LogMelSpectrogram(4_000, frame_length=100, frame_step=40, num_mel_bins=12),
        frame_stack=3,
        frame_stride=2,
        noise=layers.BackgroundNoise(),
        warping=layers.VocalTractLengthPerturbation(0.05, min_freq=20.0, max_freq=2_000.0),
        masking=layers.SpecAugment(1, freq_mask_width=2, time_mask_width=2),
        channel=layers.TelephoneChannel(0.1, max_freq=2_000.0),
        mean_normalize=True,
        average_offsets=True,
    )
    return CTCRecognizer(
        "ab ",
        front_end,
        features=[layers.BandConvolution(3, 2, kernel_size=4)],
        stack=layers.RNNStack("GRU", 16, bidirectional=True, normalization=True),
        lexicon=TRANSCRIPTS,
    )


def transcribe_exported(loaded, recordings):
    lengths = np.array([len(recording) for recording in recordings], "int32")
    samples = np.zeros((len(recordings), lengths.max()), "float32")
    for row, recording in zip(samples, recordings, strict=True):
        row[: len(recording)] = recording
    return to_strings(loaded.recognize(samples, lengths)["texts"])


RECOGNIZER = ModelCase(
    plain_recognizer,
    full_recognizer,
    examples=RECORDINGS,
    targets=TRANSCRIPTS,
    expected=TRANSCRIPTS,
    adapt=lambda model: model.adapt(RECORDINGS),
    predict=lambda model, recordings: model.transcribe(recordings),
    search=lambda model, recordings: model.transcribe(recordings, beam_width=4),
    scores=lambda model, recordings: model.log_probs(recordings),
    exported=transcribe_exported,
    mistakes={
        "two channels": (lambda model: model.transcribe([np.zeros((9, 2))]), r"got \(9, 2\)"),
        "no beam": (lambda model: model.transcribe([RECORDINGS[0]], beam_width=0), "got 0"),
        "unknown letter": (
            lambda model: model.encode(RECORDINGS[:1], ["c"]),
            "Text 1: character 1, 'c', is not in the alphabet",
        ),
        "no alphabet": (lambda model: CTCRecognizer(""), "got ''"),
    },
)

# VideoClassifier


def bar(step, begin, count):
    """Return a clip of a bright bar that moves down or up, frames of 8 x 8."""
    frames = np.zeros((count, 8, 8), "uint8")
    for time in range(count):
        frames[time, (begin + step * time) % 8] = 255
    return frames


CLIPS = [bar(1, 0, 3), bar(-1, 7, 4), bar(1, 3, 4), bar(-1, 5, 3)]
DIRECTIONS = ["falls", "rises", "falls", "rises"]


def plain_video():
    return VideoClassifier(
        ["falls", "rises"],
        (8, 8),
        layers.SmallFrameEncoder(channels=4, features=8),
        layers.RNNStack("GRU", 8, return_sequences=False),
    )


def full_video():
    return VideoClassifier(
        ["falls", "rises"],
        (8, 8),
        layers.SmallFrameEncoder(channels=4, features=8),
        layers.RNNStack("LSTM", 8, 2, bidirectional=True, return_sequences=False),
    )


VIDEO = ModelCase(
    plain_video,
    full_video,
    examples=CLIPS,
    targets=DIRECTIONS,
    expected=DIRECTIONS,
    predict=lambda model, clips: [prediction.label for prediction in model.classify(clips)],
    scores=lambda model, clips: probabilities(model.classify(clips)),
    exported=lambda loaded, clips: [
        to_strings(loaded.classify(clip[None])["labels"])[0] for clip in clips
    ],
    mistakes={
        "another size": (
            lambda model: model.classify([np.zeros((3, 8, 9), "uint8")]),
            r"Clip 1 must .*got \(3, 8, 9\)",
        ),
        "floats": (lambda model: model.classify([CLIPS[0] / 255]), "must be uint8"),
        "no frames": (lambda model: model.classify([CLIPS[0][:0]]), "Clip 1 has no frames"),
        "unknown label": (lambda model: model.encode(CLIPS[:1], ["fall"]), "clip 1.* 'fall'"),
        "one label": (lambda model: VideoClassifier(["a"], (8, 8)), "two labels, got 1"),
    },
)

# Seq2Seq

SPELLED = ["abc", "cab", "bb", "a"]
SPOKEN = ["Z Y X", "Y X Z", "Y Y", "X"]
CHARACTERS = text.TextEncoder("abc", "char", end=True)
PHONEMES = text.TextEncoder("XYZ", "whitespace", end=True)


def plain_seq2seq():
    return Seq2Seq(
        CHARACTERS,
        PHONEMES,
        features=[layers.TokenEmbedding(CHARACTERS, 8)],
        stack=layers.RNNStack("LSTM", 16, bidirectional=True, return_state=True),
        decoder=layers.Decoder(layers.TokenEmbedding(PHONEMES, 8), "LSTM", 16, dropout=0.0),
    )


def full_seq2seq():
    return Seq2Seq(
        CHARACTERS,
        PHONEMES,
        features=[layers.OneHotTokens(CHARACTERS.vocab_size), layers.NgramFeatures(3, 16, 4)],
        stack=layers.RNNStack("GRU", 16, 2, bidirectional=True, return_state=True),
        decoder=layers.Decoder(
            layers.TokenEmbedding(PHONEMES, 8),
            "GRU",
            16,
            2,
            attention="additive",
            input_feeding=True,
            tie_embeddings=True,
            sampling=layers.ScheduledSampling(0.2, ramp_steps=10),
        ),
        label_smoothing=0.05,
    )


def next_token_logits(model, words):
    """Return the logits of the first two tokens if the first one is X."""
    inputs = model.encode(words, ["X"] * len(words)).inputs
    return model.predict_on_batch(inputs)[:, :2]


SEQ2SEQ = ModelCase(
    plain_seq2seq,
    full_seq2seq,
    examples=SPELLED,
    targets=SPOKEN,
    expected=SPOKEN,
    predict=lambda model, words: model.translate(words, max_length=4),
    scores=next_token_logits,
    exported=lambda loaded, words: to_strings(loaded.translate(words)["texts"]),
    mistakes={
        "one text": (lambda model: model.translate("abc"), "list of texts, got one text: 'abc'"),
        "no beam": (lambda model: model.translate(["a"], beam_width=0), "at least 1, got 0"),
        "no source": (lambda model: model.encode(["a", ""], ["X", "Y"]), "source of pair 2"),
        "no target": (lambda model: model.encode(["a", "b"], ["X", " "]), "target of pair 2"),
        "no end": (
            lambda model: Seq2Seq(CHARACTERS, text.TextEncoder("XY")),
            "The target encoder of a Seq2Seq needs an end token",
        ),
    },
)

CASES = {
    "SequenceTagger": TAGGER,
    "Seq2Seq": SEQ2SEQ,
    "SequenceClassifier": CLASSIFIER,
    "SequenceGenerator": GENERATOR,
    "CTCRecognizer": RECOGNIZER,
    "VideoClassifier": VIDEO,
}
"""Name of an exported model to its case."""
