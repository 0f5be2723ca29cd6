"""Copy of weights between models of the same class, with the same or other names."""

import numpy as np
import pytest
import tiny_models
from helpers import slow_but, to_numpy

from keras_seq import layers
from keras_seq.layers.named_weights import AxisNames
from keras_seq.models import (
    AuxiliaryTags,
    CTCRecognizer,
    SequenceClassifier,
    SequenceGenerator,
    SequenceTagger,
    VideoClassifier,
)
from keras_seq.models.weight_copy import ShapeMismatchError, copy_weights
from keras_seq.text import TagSet, TextEncoder

TEXTS = ["Ada met Grace .", "met ."]


def shuffled(model):
    """Set all weights to different values, which initializers would not give."""
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape).astype(w.dtype) for w in model.weights])
    return model


def tagger(words, labels=("LOC", "PER"), scheme="IOBES", units=3, auxiliary=None):
    encoder = TextEncoder(words)
    return SequenceTagger(
        encoder,
        TagSet(labels, scheme),
        features=[layers.TokenEmbedding(encoder, 4), layers.CharEncoder(2)],
        stack=layers.RNNStack("LSTM", units, bidirectional=True, name="stack"),
        auxiliary=auxiliary and AuxiliaryTags(auxiliary),
    )


def generator(characters, styles, cell="GRU"):
    encoder = TextEncoder(characters, "char", end=True)
    return SequenceGenerator(
        encoder,
        styles=styles,
        embedding=layers.TokenEmbedding(encoder, 4),
        stack=layers.RNNStack(cell, 3, return_state=True, name="stack"),
        features=[
            layers.CausalNgramFeatures(2, num_buckets=8, output_dim=2, max_style_n=1),
            layers.LongestMatchEmbedding(encoder.vocab_size, 2),
            layers.EarlierBarsEmbedding([[1] * encoder.vocab_size], [], {1: 2}, 2, [1, 2]),
        ],
    )


def classifier(words, labels, pairs=None):
    encoder = TextEncoder(words)
    pairs = [encoder.encode(pair) for pair in pairs or [["a", "b"]]]
    return SequenceClassifier(
        encoder,
        labels,
        features=[layers.TokenEmbedding(encoder, 4), layers.BigramEmbedding(pairs, 2)],
        stack=layers.RNNStack("GRU", 3, bidirectional=True, name="stack"),
        experts=[layers.NaiveBayesExpert(encoder.vocab_size, len(labels), pairs)],
    )


@pytest.mark.parametrize(
    "kind", slow_but(["generator"], ["tagger", "classifier", "generator", "seq2seq", "recognizer"])
)
def test_the_same_names_give_the_same_predictions(kind):
    source, target = shuffled(getattr(tiny_models, kind)()), getattr(tiny_models, kind)()
    report = copy_weights(target, source)
    assert all(known == total for known, total in report.names.values())
    assert not report.new
    if kind == "recognizer":  # the statistics of the spectrogram are those of the new data
        assert report.computed == 2
        for name in ("mean", "std"):
            getattr(target.front_end, name).assign(to_numpy(getattr(source.front_end, name)))
        recordings = [np.sin(np.arange(4_000) * 0.3), np.cos(np.arange(3_000) * 0.1)]
        expected, actual = (model.log_probs(recordings) for model in (source, target))
    else:
        examples = TEXTS if kind in ("tagger", "classifier") else ["ab", "bca"]
        targets = [["x", "y"], ["y"]] if kind == "seq2seq" else None
        encoded = source.encode(examples, targets).inputs
        expected, actual = ([to_numpy(model(encoded))] for model in (source, target))
    for ours, theirs in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_tagger_copies_embeddings_and_transitions_by_name():
    source = shuffled(tagger(["Ada", "met"], ["LOC", "PER"], auxiliary=["noun", "verb"]))
    target = tagger(["in", "met", "Ada"], ["ORG", "PER"], auxiliary=["verb", "adverb"])
    fresh = {w.path: to_numpy(w).copy() for w in target.weights}
    report = copy_weights(target, source)
    assert report.names == {"tokens": (4, 5), "tags": (5, 9), "auxiliary tags": (3, 4)}
    for token in ("met", "Ada", "<UNK>"):
        ours, theirs = (
            to_numpy(m.token_embedding.embeddings)[m.encoder.tokens.index(token)]
            for m in (target, source)
        )
        np.testing.assert_array_equal(ours, theirs)
    table = target.token_embedding.embeddings
    np.testing.assert_array_equal(to_numpy(table)[2], fresh[table.path][2])
    ours, theirs = target.tag_set.tags, source.tag_set.tags
    for name in ("transitions", "start", "end", "kernel", "bias"):
        weight = getattr(target.crf_layer, name)
        new, old = to_numpy(weight), to_numpy(getattr(source.crf_layer, name))
        begin, end = ours.index("B-PER"), ours.index("E-PER")
        old_begin, old_end = theirs.index("B-PER"), theirs.index("E-PER")
        if name == "transitions":
            assert new[begin, end] == old[old_begin, old_end]
            organization = ours.index("B-ORG")
            np.testing.assert_array_equal(new[organization], fresh[weight.path][organization])
        else:
            np.testing.assert_array_equal(new[..., end], old[..., old_end])
    # Layers that depend on no name are equal.
    for ours, theirs in zip(target.stack.weights, source.stack.weights, strict=True):
        np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


def test_weights_of_character_ngrams_are_copied_by_label():
    experts = [layers.CharNgramExpert(number, num_buckets=4) for number in (2, 3)]
    source, target = (
        SequenceClassifier(TextEncoder(["a"]), labels, experts=[expert])
        for labels, expert in zip((["no", "yes"], ["yes", "unsure", "no"]), experts)
    )
    shuffled(source)
    report = copy_weights(target, source)
    assert report.names["labels"] == (2, 3) and report.computed == 1
    old, new = (to_numpy(expert.naive_bayes.feature_weights) for expert in experts)
    np.testing.assert_array_equal(new[:, [2, 0]], old)
    assert (new[:, 1] == experts[1].initial_weight).all()


def test_a_layer_of_names_may_be_new_or_missing():
    with_head, without = tagger(["a"], auxiliary=["noun"]), tagger(["a"])
    assert copy_weights(with_head, shuffled(without)).new == 2
    assert copy_weights(without, shuffled(with_head)).new == 0


def test_a_classifier_copies_labels_bigrams_and_learned_weights():
    source = shuffled(classifier(["a", "b"], ["bad", "good"], [["a", "b"], ["b", "a"]]))
    target = classifier(["c", "b", "a"], ["good", "fair"], [["b", "a"], ["c", "a"]])
    report = copy_weights(target, source)
    assert report.names == {
        "tokens": (4, 5),
        "bigrams": (2, 3),
        "labels": (1, 2),
        "features": (5, 7),
    }
    assert report.computed == 1
    ratios = target.experts[0].naive_bayes.log_count_ratios
    assert not to_numpy(ratios).any()
    bias, old_bias = (to_numpy(m.get_layer("logits").bias) for m in (target, source))
    assert bias.tolist() == [old_bias[1], 0]

    def bigram(model, pair):
        layer = model.features[1]
        ids = np.array([model.encoder.encode(pair)])
        return to_numpy(layer.table.embeddings)[to_numpy(layer.bigrams(ids))[0, 1]]

    np.testing.assert_array_equal(bigram(target, ["b", "a"]), bigram(source, ["b", "a"]))
    learned, old = (to_numpy(m.experts[0].naive_bayes.feature_weights) for m in (target, source))
    # The feature of the bigram b a is the first of two, or the last, after the tokens.
    assert learned[-2 if target.encoder.encode("b") < target.encoder.encode("c") else -1, 0] in old


def test_a_language_model_copies_hashed_weights_only_if_ids_are_kept():
    source = shuffled(generator("ab", ["x", "y"]))
    plain, styled = (
        lambda model: to_numpy(model.features[0].plain.tables),
        lambda model: to_numpy(model.features[0].styled.tables),
    )
    for characters, styles, keeps in (
        ("abc", ["x", "y", "z"], (True, True)),
        ("abc", ["y", "x"], (True, False)),
        ("cab", ["x", "y"], (False, False)),
    ):
        target = generator(characters, styles)
        report = copy_weights(target, source)
        assert report.names["tokens"] == (5, 6)
        assert report.names["matches"] == (15, 18)
        assert report.names["earlier bars"] == (10, 12)
        for tables, kept in zip((plain, styled), keeps, strict=True):
            assert np.array_equal(tables(target), tables(source)) == kept
        assert report.new == 2 - sum(keeps)
        ours, theirs = (
            to_numpy(m.network.style_embedding.embeddings)[m.styles.index("y")]
            for m in (target, source)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_a_seq2seq_copies_source_and_target_tokens():
    source, target = shuffled(tiny_models.seq2seq()), tiny_models.seq2seq("bcd", ("y", "z"))
    report = copy_weights(target, source)
    assert report.names == {"tokens": (5, 6), "target tokens": (4, 5)}
    ours, theirs = (to_numpy(m.decoder.embedding.embeddings) for m in (target, source))
    np.testing.assert_array_equal(
        ours[target.target_encoder.tokens.index("y")],
        theirs[source.target_encoder.tokens.index("y")],
    )


def test_a_recognizer_copies_characters_and_the_blank():
    def recognizer(alphabet):
        stack = layers.RNNStack("GRU", 3, bidirectional=True, name="stack")
        return CTCRecognizer(alphabet, stack=stack)

    source, target = shuffled(recognizer("ab")), recognizer("bc")
    assert copy_weights(target, source).names == {"characters": (2, 3)}
    ours, theirs = (to_numpy(m.output_layer.kernel) for m in (target, source))
    np.testing.assert_array_equal(ours[:, [0, 1]], theirs[:, [0, 2]])


def test_a_video_classifier_copies_labels():
    def videos(labels):
        encoder = layers.SmallFrameEncoder(channels=2, features=3, name="encoder")
        stack = layers.RNNStack("GRU", 2, return_sequences=False, name="stack")
        return VideoClassifier(labels, (8, 8), encoder, stack)

    source, target = shuffled(videos(["falls", "rises"])), videos(["rises", "turns"])
    assert copy_weights(target, source).names == {"labels": (1, 2)}
    ours, theirs = (to_numpy(m.output_layer.kernel) for m in (target, source))
    np.testing.assert_array_equal(ours[:, 0], theirs[:, 1])


def test_n_grams_are_found_by_their_position_relative_to_the_middle():
    def expert(window):
        symbols = np.eye(4, dtype="float32")[:, 2:]
        expert = layers.WeightArrayExpert(symbols, 2, order=1, window=window)
        expert.build((None, None))
        axes = AxisNames("tokens", ["<PAD>", "<UNK>", "a", "b"]), AxisNames("labels", ["n", "y"])
        [weight] = expert.named_weights(*axes)
        assert len(weight.axes[0].names) == weight.variable.shape[0]
        return weight.axes[0].names

    assert set(expert(3)) < set(expert(5))


def test_another_shape_is_an_error():
    source = tagger(["a"], units=3)
    with pytest.raises(ShapeMismatchError) as error:
        copy_weights(tagger(["a"], units=5), source)
    assert str(error.value).startswith("The layer stack/bidirectional_0/forward_recurrent_0/")
    assert str(error.value).endswith(
        " has a kernel of shape (8, 20), but that of the trained model has (8, 12)."
    )


def test_another_layer_is_an_error_and_nothing_is_copied():
    source, target = generator("ab", ["x"], "GRU"), generator("ab", ["x"], "LSTM")
    before = [to_numpy(weight).copy() for weight in target.weights]
    with pytest.raises(ShapeMismatchError, match=r"^The layer start_0_1 is new: "):
        copy_weights(target, source)
    with pytest.raises(ShapeMismatchError, match=r"^The layer \S+ is (new|missing): "):
        copy_weights(source, target)
    for weight, values in zip(target.weights, before, strict=True):
        np.testing.assert_array_equal(to_numpy(weight), values)
