"""Generation: what is carried on equals what is read again, texts in and out."""

import functools

import keras
import numpy as np
import pytest
from helpers import BACKEND, slow_but, to_numpy
from keras import ops

from keras_seq import decoding, export
from keras_seq._internal.errors import InputError
from keras_seq.models import SequenceGenerator
from keras_seq.text.vocabulary import frequent

TEXTS = ["hello world", "hold the door", "low and slow"]
STYLES = [0, 1, 1]


def generator(cell="LSTM", styles=("up", "down"), **arguments):
    keras.utils.set_random_seed(0)
    model = SequenceGenerator(
        frequent("".join(TEXTS)),
        styles,
        cell=cell,
        **{"units": 12, "depth": 2, "dropout": 0.0, "embedding": 8, **arguments},
    )
    # Larger weights than at the start, so that steps differ.
    for weight in model.trainable_weights:
        weight.assign(2 * np.asarray(to_numpy(weight)))
    return model


@functools.cache
def learnt():
    """For tests that only read it."""
    model = generator("GRU", units=32)
    model.compile(keras.optimizers.Adam(0.01), loss=model.loss_of_tokens)
    examples = model.encode(TEXTS, STYLES)
    model.fit(examples.inputs, examples.targets, epochs=80, verbose=0)
    return model


@pytest.fixture
def trained(request):
    """The model that has learnt the texts, from now on run eagerly."""
    model = learnt()
    request.getfixturevalue("eagerly")
    return model


COUNTED = {"kneser_ney": 3, "kneser_ney_share": 0.4, "counted": TEXTS}
CELLS = ("SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("cell", "temperature"),
    [
        *((cell, 0) for cell in CELLS),
        *(("LSTM with runs, recall and counts", t) for t in (0, 1.0)),
    ],
)
def test_carried_state_equals_the_whole_prefix(cell, temperature):
    more = {}
    if "with" in cell:
        more = {"ngrams": 4, "ngram_rows": 64, "ngram_embedding": 3, "recall": 5, **COUNTED}
    model, prompts, styles = (
        generator(cell.split()[0], **more),
        [list("he"), [], list("slow")],
        [0, 1, "down"],
    )
    made = model.generate_tokens(prompts, styles, max_length=12, temperature=temperature, seed=1)
    assert sum(len(one.tokens) for one in made) > 2
    for prompt, style, one in zip(prompts, styles, made):
        examples = model.encode([[*prompt, *one.tokens]], [style])
        # The whole at once; padded, so that all are of one length.
        ids = np.pad(examples.inputs["tokens"], [(0, 0), (0, 24 - examples.lengths[0])])
        logits = to_numpy(model({**examples.inputs, "tokens": ids}))[0, len(prompt) :]
        logits = logits[: len(one.log_probs)]
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        chosen = examples.targets[0, len(prompt) : len(prompt) + len(one.log_probs)]
        np.testing.assert_allclose(
            np.take_along_axis(log_p, chosen[:, None], 1)[:, 0], one.log_probs, atol=1e-5
        )
        if temperature == 0:
            np.testing.assert_array_equal(log_p[:, 2:].argmax(axis=-1) + 2, chosen)


@pytest.mark.usefixtures("either_way")
def test_beam_search_finds_what_is_likelier():
    model = generator(ngrams=4, ngram_rows=64, ngram_embedding=3, recall=5, **COUNTED)
    prompts, styles = [list("he"), [], list("slow")], [0, 1, "down"]
    greedy, one, four = (
        model.generate_tokens(prompts, styles, max_length=8, **how)
        for how in ({"temperature": 0}, {"beam_width": 1}, {"beam_width": 4})
    )
    for a, b in zip(greedy, one):
        assert a.tokens == b.tokens
        np.testing.assert_allclose(a.log_probs, b.log_probs, atol=1e-5)
    gains = [b.log_probs.sum() - a.log_probs.sum() for a, b in zip(greedy, four)]
    assert min(gains) > -1e-5 and max(gains) > 0.1
    # The sums of a search that carries the state of each hypothesis are those of the whole read.
    inputs = model.encode(prompts, styles).inputs
    run = model._generating(decoding.beam_search, 8, beam_width=4, n_best=1)
    given = inputs["tokens"], inputs["style"], {"length_penalty": np.float32(0)}
    _, scores = to_numpy(run(*keras.tree.map_structure(ops.convert_to_tensor, given)))
    np.testing.assert_allclose(scores[:, 0], [b.log_probs.sum() for b in four], atol=1e-4)
    # A penalty that favours length.
    (longer,) = model.generate_tokens([[]], [1], max_length=8, beam_width=4, length_penalty=9.0)
    assert len(longer.tokens) == 8 >= len(four[1].tokens)


def test_the_texts_are_not_saved_with_the_model():
    for order in (0, 3):
        config = generator(**{**COUNTED, "kneser_ney": order}).get_config()
        assert not set(TEXTS) & set(config["counted"] or [])


def test_learns_and_says_its_texts():
    model = learnt()
    assert model.generate(["h", "lo"], [0, 1], temperature=0, max_length=20) == [
        "hello world",
        "low and slow",
    ]
    log_probs = model.log_probs([*TEXTS, "wrong"], [*STYLES, 0])
    assert [len(row) for row in log_probs] == [12, 14, 13, 6]
    assert min(row.mean() for row in log_probs[:3]) > 5 * log_probs[3].mean()
    (best, p), *_ = model.next_tokens("hel", "up", count=3)
    assert best == "l" and 0.5 < p <= 1


def test_alone_or_in_a_batch_is_the_same(trained):
    model = trained
    together = model.log_probs(TEXTS, STYLES)
    for text, style, row in zip(TEXTS, STYLES, together):
        np.testing.assert_allclose(model.log_probs([text], [style])[0], row, atol=1e-5)
    prompts = ["", "he", "hold t"]
    alone = [model.generate([p], [0], temperature=0, max_length=9)[0] for p in prompts]
    assert model.generate(prompts, [0] * 3, temperature=0, max_length=9) == alone


def test_style_and_seed_decide(trained):
    model = trained
    assert model.generate(styles=["up"], temperature=0, max_length=20) == ["hello world"]
    assert model.generate(styles=["down"], temperature=0, max_length=20)[0] in TEXTS[1:]
    once, again, other = (
        model.generate(styles=[0] * 8, temperature=2.0, seed=seed, max_length=9)
        for seed in (1, 1, 2)
    )
    assert once == again != other


def test_parts_of_long_sequences_cover_every_target_once():
    model = generator(styles=None)
    text = "hello world " * 30
    whole, cut = model.encode([text, "low"]), model.encode([text, "low"], longest=100)
    assert whole.targets.shape == (2, 361)
    begins = [0, 36, 72, 108, 144, 180, 216, 252, 288]
    assert cut.targets.shape == (len(begins) + 1, 100)
    seen = []
    for row, begin in enumerate(begins):
        length = cut.lengths[row]
        np.testing.assert_array_equal(
            cut.inputs["tokens"][row, :length], whole.inputs["tokens"][0, begin : begin + length]
        )
        targets = np.flatnonzero(cut.targets[row]) + begin
        np.testing.assert_array_equal(cut.targets[row, targets - begin], whole.targets[0, targets])
        seen += targets.tolist()
    assert seen == list(range(361))
    np.testing.assert_array_equal(cut.targets[-1], np.pad(whole.targets[1, :4], (0, 96)))


@pytest.mark.usefixtures("eagerly")
def test_windows_carry_the_state_on():
    """What a stateful model says of a stream in windows is what it says of the stream at once."""
    model, plain = (generator(styles=None, stateful_batch=n) for n in (2, None))
    plain.set_weights(model.get_weights())
    stream = list("".join(TEXTS) * 3)
    inputs, targets = model.windows(stream, timesteps=7)
    windows = len(targets) // 2
    said = model.predict(inputs, batch_size=2, verbose=0).reshape(windows, 2, 7, -1)
    by_row = said.swapaxes(0, 1).reshape(2, windows * 7, -1)
    rows = inputs["tokens"].reshape(windows, 2, 7).swapaxes(0, 1).reshape(2, -1)
    at_once = to_numpy(plain({"tokens": rows}))
    np.testing.assert_allclose(by_row, at_once, atol=1e-5)
    # The targets are the tokens one on.
    following = targets.reshape(windows, 2, 7).swapaxes(0, 1).reshape(2, -1)
    np.testing.assert_array_equal(following[:, :-1], rows[:, 1:])
    # Until it is told to forget.
    model.reset_state()
    first = to_numpy(model({"tokens": rows[:, :7]}))
    np.testing.assert_allclose(first, at_once[:, :7], atol=1e-5)
    second = to_numpy(model({"tokens": rows[:, :7]}))
    assert np.abs(second - first).max() > 1e-3


@pytest.mark.usefixtures("eagerly")
def test_training_carries_the_state_on_too():
    """What `fit` reports is the loss of windows read in their order, one after the other."""
    model = generator(styles=None, stateful_batch=2, depth=1)
    inputs, targets = model.windows(list("".join(TEXTS) * 3), timesteps=7)
    model.compile(keras.optimizers.SGD(0.0), loss=model.loss_of_tokens)
    history = model.fit(inputs, targets, batch_size=2, shuffle=False, verbose=0).history
    model.reset_state()
    losses = [
        model.test_on_batch({"tokens": inputs["tokens"][i : i + 2]}, targets[i : i + 2])
        for i in range(0, len(targets), 2)
    ]
    np.testing.assert_allclose(history["loss"], np.mean(losses), rtol=1e-4)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "arguments",
    [{"ngrams": 2, "recall": 2, **COUNTED}, {"tied": True}, {"embedding": None, "styles": None}],
)
def test_saved_and_loaded(tmp_path, arguments):
    model = generator(**arguments)
    model.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    styles = [1] if model.styles else None
    how = {"seed": 5, "max_length": 9}
    assert loaded.generate(["he"], styles, **how) == model.generate(["he"], styles, **how)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("styles", slow_but([None], [["up", "down"], None]))
def test_exported_with_raw_strings(tmp_path, styles):
    import tensorflow as tf

    model = learnt() if styles else generator(styles=None)
    report = export.savedmodel(model, tmp_path / "saved")
    assert report["largest difference"] < 1e-4
    loaded = tf.saved_model.load(tmp_path / "saved")
    prompts = tf.constant(["h", "lo", ""])
    more = [tf.constant([0, 1, 0])] if styles else []
    out = loaded.generate(prompts, *more, max_length=20, temperature=0.0, seed=0)
    expected = model.generate(
        ["h", "lo", ""], [0, 1, 0] if styles else None, temperature=0, max_length=20
    )
    assert [text.decode() for text in out["texts"].numpy()] == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(["hXy"], [0]), "Prompt 1 has the unknown token 'X'"),
        (lambda m: m.generate(styles=[7]), "There is no style 7; there are 0 up, 1 down"),
        (lambda m: m.generate(styles=["left"]), "There is no style 'left'; there are 0 up, 1 down"),
        (lambda m: m.generate(["h"], [0], beam_width=0), "beam_width must be at least 1, got 0"),
        (lambda m: m.generate(["h"], [0], beam_width=2, top_k=5), "beam_width looks for the like"),
        (lambda m: m.generate(["h"]), "needs a style for each sequence: 0 up, 1 down"),
        (lambda m: m.encode(["h"], [0, 1]), "There are 1 sequences but 2 styles"),
        (lambda m: m.encode(["h"], [0], longest=64), "longest must be more than 64, got 64"),
        (lambda m: m.windows(["h"], 4), "windows.. is for a model with stateful_batch"),
        (lambda m: generator(styles=None).encode(["h"], [0]), "knows no styles"),
        (lambda m: generator(stateful_batch=2), "with stateful_batch there can be none"),
        (
            lambda m: generator(styles=None, stateful_batch=2).windows(list("hello"), 4),
            "A stream of 5 tokens is too short for 2 rows of 4",
        ),
        (
            lambda m: generator(styles=None, stateful_batch=2, ngrams=2),
            "ngrams, recall and kneser_ney do not reach from batch",
        ),
        (lambda m: generator(tied=True, embedding=None), "A tied output needs an embedding"),
        (lambda m: m.generate(["h"], [0], length_penalty=1.0), "for the search with beam_width"),
        (lambda m: generator(kneser_ney=3), "needs sequences to count: give them as counted"),
        (lambda m: generator(split="lines"), "There is no tokenizer 'lines'"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(generator())
