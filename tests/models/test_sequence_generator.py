"""SequenceGenerator: steps against whole sequences, sampling, BPTT, saving and export."""

import functools
import gc
import weakref

import keras
import numpy as np
import pytest
from helpers import BACKEND, slow_but, to_numpy
from keras import ops

from keras_seq import decoding, export, layers
from keras_seq._internal.errors import InputError
from keras_seq._internal.no_gradients import no_gradients
from keras_seq.layers.text.log_linear import fit_log_linear
from keras_seq.models import SequenceGenerator, language_model
from keras_seq.text.encoder import TextEncoder

TEXTS = ["hello world", "hold the door", "low and slow"]
STYLES = [0, 1, 1]


ENCODER = TextEncoder.from_examples(TEXTS, "char", end=True)
SIZE = ENCODER.vocab_size


def stack(cell="LSTM", units=12, num_layers=2, **options):
    return layers.RNNStack(cell, units, num_layers, **{"return_state": True, **options})


def stateful():
    return stack(layer_options={"stateful": True})


def one_hot():
    return layers.OneHotTokens(SIZE)


def counts(order=3):
    layer = layers.KneserNey(SIZE, order, 0.4)
    layer.adapt(ENCODER.encode_batch(TEXTS, start=True, end=True).ids)
    layer.mixture_weights.assign(np.linspace([0.8, 0.1], [0.4, 0.9], order))
    return layer


def with_features(max_style_n=3):
    ngrams = layers.CausalNgramFeatures(4, 64, 3, max_style_n=max_style_n)
    return {"features": [ngrams, layers.LongestMatchEmbedding(SIZE, 5)], "count_model": counts()}


def generator(cell="LSTM", styles=("up", "down"), **arguments):
    keras.utils.set_random_seed(0)
    network = {"embedding": layers.TokenEmbedding(ENCODER, 8), "stack": stack(cell), **arguments}
    model = SequenceGenerator(ENCODER, styles=styles, **network)
    # Larger weights than initial ones make time steps differ more.
    for weight in model.trainable_weights:
        weight.assign(2 * np.asarray(to_numpy(weight)))
    return model


@functools.cache
def trained_model():
    """Return a trained model, which tests must not change."""
    model = generator(stack=stack("GRU", 32))
    model.compile(keras.optimizers.Adam(0.01))
    model.fit(TEXTS, STYLES, epochs=80, verbose=0)
    return model


@pytest.fixture
def trained(request):
    """Return the trained model, which runs eagerly from now on."""
    model = trained_model()
    request.getfixturevalue("eagerly")
    return model


CELLS = ("SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM")


@pytest.mark.usefixtures("either_way")
@pytest.mark.parametrize(
    ("cell", "temperature"),
    [
        *((cell, 0) for cell in CELLS),
        *(("LSTM with features and counts", t) for t in (0, 1.0)),
    ],
)
def test_generation_step_by_step_equals_the_whole_sequence(cell, temperature):
    options = with_features() if "with" in cell else {}
    model, prompts, styles = (
        generator(cell.split()[0], **options),
        [list("he"), [], list("slow")],
        [0, 1, "down"],
    )
    generated = model.generate_tokens(
        prompts, styles, max_length=12, temperature=temperature, seed=1
    )
    assert sum(len(sequence.tokens) for sequence in generated) > 2
    for prompt, style, sequence in zip(prompts, styles, generated):
        examples = model.encode([[*prompt, *sequence.tokens]], [style])
        # Padding to one length compiles only once.
        ids = np.pad(examples.inputs["tokens"], [(0, 0), (0, 24 - examples.lengths[0])])
        logits = to_numpy(model({**examples.inputs, "tokens": ids}))[0, len(prompt) :]
        logits = logits[: len(sequence.log_probs)]
        log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        chosen = examples.targets[0, len(prompt) : len(prompt) + len(sequence.log_probs)]
        np.testing.assert_allclose(
            np.take_along_axis(log_p, chosen[:, None], 1)[:, 0], sequence.log_probs, atol=5e-5
        )
        if temperature == 0:
            np.testing.assert_array_equal(log_p[:, 2:].argmax(axis=-1) + 2, chosen)


@pytest.mark.slow
def test_beam_search_finds_more_likely_sequences():
    model = generator(**with_features())
    prompts, styles = [list("he"), [], list("slow")], [0, 1, "down"]
    greedy, beam_of_1, beam_of_4 = (
        model.generate_tokens(prompts, styles, max_length=8, **options)
        for options in ({"temperature": 0}, {"beam_width": 1}, {"beam_width": 4})
    )
    for a, b in zip(greedy, beam_of_1):
        assert a.tokens == b.tokens
        np.testing.assert_allclose(a.log_probs, b.log_probs, atol=1e-5)
    gains = [b.log_probs.sum() - a.log_probs.sum() for a, b in zip(greedy, beam_of_4)]
    assert min(gains) > -1e-5 and max(gains) > 0.1
    # The scores of the search, which carries states, equal those of whole sequences.
    inputs = model.encode(prompts, styles).inputs
    tokens, style = map(ops.convert_to_tensor, (inputs["tokens"], inputs["style"]))
    with no_gradients():
        state, start = model.network.initial_state(tokens, style, 8)
        _, scores, _ = decoding.beam_search(
            model.step, state, start_id=start, end_id=2, max_length=8, beam_width=4, n_best=1
        )
    scores = to_numpy(scores)
    np.testing.assert_allclose(scores[:, 0], [b.log_probs.sum() for b in beam_of_4], atol=1e-4)
    # A large penalty favors long sequences.
    (longer,) = model.generate_tokens([[]], [1], max_length=8, beam_width=4, length_penalty=9.0)
    assert len(longer.tokens) == 8 >= len(beam_of_4[1].tokens)


@pytest.mark.slow
def test_two_features_of_one_class_have_separate_states():
    pair = [layers.CausalNgramFeatures(n, 64, 3, name=f"ngrams_{n}") for n in (2, 4)]
    model = generator(styles=None, features=pair)
    tokens = ops.convert_to_tensor(model.encode(["he"]).inputs["tokens"])
    state, _ = model.network.initial_state(tokens)
    assert set(state) == {"layers", "history_window", "ngrams_4_history_window"}
    [sequence] = model.generate_tokens(["he"], max_length=5, temperature=0)
    [log_probs] = model.log_probs([["h", "e", *sequence.tokens]])
    num_steps = len(sequence.log_probs)
    np.testing.assert_allclose(log_probs[2 : 2 + num_steps], sequence.log_probs, atol=1e-5)


def test_compiled_functions_are_freed_with_the_model():
    model = generator(styles=None, count_model=counts())
    model.generate(["he"], max_length=2, seed=0)
    reference = weakref.ref(model)
    del model
    keras.backend.clear_session()
    gc.collect()
    assert reference() is None


def test_probabilities_of_the_next_token():
    model = generator(styles=None)
    log_probs = model.next_log_probs(["", "hel"])
    assert log_probs.shape == (2, SIZE)
    np.testing.assert_allclose(np.exp(log_probs).sum(axis=-1), 1, rtol=1e-5)
    [first, *_] = model.next_tokens("hel")
    assert first[0] == ENCODER.tokens[log_probs[1].argmax()]
    by_character = model.char_log_probs(["", "hel"], "lo")
    np.testing.assert_allclose(by_character, log_probs[:, [2, *ENCODER.encode("lo")]], rtol=1e-6)


@pytest.mark.usefixtures("eagerly")
def test_fitted_interpolation():
    model, held_out = generator(count_model=counts()), ["hello slow", "old"]
    layer, styles = model.count_model, [0, 1]
    before = np.concatenate(model.log_probs(held_out, styles)).sum()
    model.fit_interpolation(held_out, styles)
    fitted = to_numpy(layer.mixture_weights)
    assert np.concatenate(model.log_probs(held_out, styles)).sum() > before
    # By definition, from the logits of the network and the counts alone.
    log_probs, targets, lengths = [], [], []
    for text, style in zip(held_out, styles):
        dataset = model.encode([text], [style])
        ids = dataset.inputs["tokens"]
        contexts = layer.contexts(ids)[:, 1:]
        layer.mixture_weights.assign(np.tile([1.0, 0.0], (3, 1)))
        network = to_numpy(model.network.logits(ids, dataset.inputs["style"]))[0]
        log_probs.append(np.stack([network, np.log(to_numpy(layer.probabilities(contexts)))[0]]))
        targets.append(dataset.targets[0])
        lengths.append(to_numpy(layer.context_lengths(contexts))[0])
    expected = fit_log_linear(
        np.concatenate(log_probs, axis=1),
        np.concatenate(targets),
        np.concatenate(lengths),
        3,
        layer.initial_weights,
    )
    np.testing.assert_allclose(fitted, expected, atol=1e-3)


def test_interpolation_is_fitted_to_few_texts(monkeypatch):
    model = generator(styles=None, count_model=counts())
    sizes = []
    monkeypatch.setattr(language_model, "MAX_FIT_VALUES", 15 * SIZE)

    def fit(log_probs, targets, *_):
        sizes.append(len(targets))
        return np.full((3, 2), 0.5)

    monkeypatch.setattr(language_model, "fit_log_linear", fit)
    model.fit_interpolation(["held", "low", "old", "world", "slow"])
    model.fit_interpolation(["hello world and slow door"])
    assert 9 <= sizes[0] <= 15 and sizes[1] == 26


def test_inputs_to_trace_start_with_the_end_token():
    inputs, steps = generator().trace_inputs("hel", "down")
    assert steps == ["<EOS>", "h", "e", "l"] and inputs["tokens"].shape == (1, 4)
    assert inputs["style"].tolist() == [1]


@pytest.mark.slow
def test_training_and_generation():
    model = trained_model()
    assert model.generate(["h", "lo"], [0, 1], temperature=0, max_length=20) == [
        "hello world",
        "low and slow",
    ]
    log_probs = model.log_probs([*TEXTS, "wrong"], [*STYLES, 0])
    assert [len(row) for row in log_probs] == [12, 14, 13, 6]
    assert min(row.mean() for row in log_probs[:3]) > 5 * log_probs[3].mean()
    (best, p), *_ = model.next_tokens("hel", "up", num_tokens=3)
    assert best == "l" and 0.5 < p <= 1


@pytest.mark.slow
def test_batch_size_does_not_matter(trained):
    model = trained
    together = model.log_probs(TEXTS, STYLES)
    for text, style, row in zip(TEXTS, STYLES, together):
        np.testing.assert_allclose(model.log_probs([text], [style])[0], row, atol=1e-5)
    prompts = ["", "he", "hold t"]
    alone = [model.generate([p], [0], temperature=0, max_length=9)[0] for p in prompts]
    assert model.generate(prompts, [0] * 3, temperature=0, max_length=9) == alone


@pytest.mark.slow
def test_style_and_seed_change_the_texts(trained):
    model = trained
    assert model.generate(styles=["up"], temperature=0, max_length=20) == ["hello world"]
    assert model.generate(styles=["down"], temperature=0, max_length=20)[0] in TEXTS[1:]
    once, again, other = (
        model.generate(styles=[0] * 8, temperature=2.0, seed=seed, max_length=9)
        for seed in (1, 1, 2)
    )
    assert once == again != other


def test_chunks_of_long_sequences_cover_every_target_once():
    model = generator(styles=None)
    text = "hello world " * 30
    whole, cut = model.encode([text, "low"]), model.encode([text, "low"], max_length=100)
    assert whole.targets.shape == (2, 361)
    starts = [0, 36, 72, 108, 144, 180, 216, 252, 288]
    assert cut.targets.shape == (len(starts) + 1, 100)
    covered = []
    for row, start in enumerate(starts):
        length = cut.lengths[row]
        np.testing.assert_array_equal(
            cut.inputs["tokens"][row, :length], whole.inputs["tokens"][0, start : start + length]
        )
        targets = np.flatnonzero(cut.targets[row]) + start
        np.testing.assert_array_equal(cut.targets[row, targets - start], whole.targets[0, targets])
        covered += targets.tolist()
    assert covered == list(range(361))
    np.testing.assert_array_equal(cut.targets[-1], np.pad(whole.targets[1, :4], (0, 96)))


@pytest.mark.usefixtures("eagerly")
def test_windows_carry_the_state():
    """Outputs of a stateful model on windows equal those on the whole stream."""
    plain = generator(styles=None)
    model = generator(styles=None, stack=stateful(), stateful_batch_size=2)
    plain.set_weights(model.get_weights())
    stream = list("".join(TEXTS) * 3)
    inputs, targets = model.bptt_batches(stream, timesteps=7)
    windows = len(targets) // 2
    # On JAX `predict` would reset the states before each batch.
    batches = np.split(inputs["tokens"], windows)
    outputs = np.stack([to_numpy(model({"tokens": batch})) for batch in batches])
    by_row = outputs.swapaxes(0, 1).reshape(2, windows * 7, -1)
    rows = inputs["tokens"].reshape(windows, 2, 7).swapaxes(0, 1).reshape(2, -1)
    at_once = to_numpy(plain({"tokens": rows}))
    np.testing.assert_allclose(by_row, at_once, atol=1e-5)
    # The targets are the inputs, shifted by one step.
    following = targets.reshape(windows, 2, 7).swapaxes(0, 1).reshape(2, -1)
    np.testing.assert_array_equal(following[:, :-1], rows[:, 1:])
    # `reset_state` restarts the stream.
    model.reset_state()
    first = to_numpy(model({"tokens": rows[:, :7]}))
    np.testing.assert_allclose(first, at_once[:, :7], atol=1e-5)
    second = to_numpy(model({"tokens": rows[:, :7]}))
    assert np.abs(second - first).max() > 1e-3


@pytest.mark.usefixtures("eagerly")
def test_training_carries_the_state_too():
    """The loss of `fit` equals that of the windows in their order."""
    one_layer = stack(num_layers=1, layer_options={"stateful": True})
    model = generator(styles=None, stack=one_layer, stateful_batch_size=2)
    inputs, targets = model.bptt_batches(list("".join(TEXTS) * 3), timesteps=7)
    model.compile(keras.optimizers.SGD(0.0))
    history = model.fit(inputs, targets, batch_size=2, shuffle=False, verbose=0).history
    model.reset_state()
    losses = [
        model.test_on_batch({"tokens": inputs["tokens"][i : i + 2]}, targets[i : i + 2])
        for i in range(0, len(targets), 2)
    ]
    np.testing.assert_allclose(history["loss"], np.mean(losses), rtol=1e-4)


@pytest.mark.usefixtures("eagerly")
@pytest.mark.parametrize(
    "make",
    [
        lambda: generator(**with_features()),
        lambda: generator(tie_embeddings=True),
        lambda: generator(embedding=one_hot(), styles=None),
    ],
)
def test_saved_and_loaded(tmp_path, make):
    model = make()
    model.save(tmp_path / "generator.keras")
    loaded = keras.saving.load_model(tmp_path / "generator.keras")
    styles = [1] if model.styles else None
    options = {"seed": 5, "max_length": 9}
    assert loaded.generate(["he"], styles, **options) == model.generate(["he"], styles, **options)
    for ours, theirs in zip(loaded.log_probs(["he"], styles), model.log_probs(["he"], styles)):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


@pytest.mark.slow
@pytest.mark.skipif(BACKEND != "tensorflow", reason="exports from TensorFlow")
@pytest.mark.parametrize("styles", slow_but([None], [["up", "down"], None]))
def test_savedmodel_generates_from_strings(tmp_path, styles):
    import tensorflow as tf

    model = trained_model() if styles else generator(styles=None)
    report = export.savedmodel(model, tmp_path / "saved")
    assert report["max_abs_error"] < 1e-4
    loaded = tf.saved_model.load(tmp_path / "saved")
    prompts = tf.constant(["h", "lo", ""])
    ids = [tf.constant([0, 1, 0])] if styles else []
    out = loaded.generate(prompts, *ids, max_length=20, temperature=0.0, seed=0)
    expected = model.generate(
        ["h", "lo", ""], [0, 1, 0] if styles else None, temperature=0, max_length=20
    )
    assert [text.decode() for text in out["texts"].numpy()] == expected


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m: m.generate(["hXy"], [0]), "Prompt 1 has the unknown token 'X'"),
        (lambda m: m.generate(styles=[7]), "There is no style 7. Styles: 0 up, 1 down"),
        (lambda m: m.generate(styles=["left"]), "There is no style 'left'. Styles: 0 up, 1 down"),
        (
            lambda m: m.generate(["h"], [0], beam_width=0),
            "beam_width must be an integer of at least 1",
        ),
        (
            lambda m: m.generate(["h"], [0], beam_width=2, top_k=5),
            "beam_width cannot be combined with temperature",
        ),
        (lambda m: m.generate(["h"]), "needs a style for each sequence. Styles: 0 up, 1 down"),
        (lambda m: m.encode(["h"], [0, 1]), "There are 1 sequences but 2 styles"),
        (lambda m: m.encode(["h"], [0], max_length=64), "max_length must be at least 65, got 64"),
        (lambda m: m.bptt_batches("h", 4), "needs a model with stateful_batch_size"),
        (lambda m: generator(styles=None).encode(["h"], [0]), "has no styles"),
        (lambda m: m.encode("h", [0]), "Expected a list of texts, got one text: 'h'"),
        (lambda m: m.generate("h", [0]), "Expected a list of texts"),
        (
            lambda m: generator(stateful_batch_size=2),
            "styles and stateful_batch_size cannot be combined",
        ),
        (
            lambda m: SequenceGenerator(ENCODER, stateful_batch_size=2).bptt_batches("hello", 4),
            "A text of 5 tokens is too short for 2 rows of 4",
        ),
        (
            lambda m: generator(styles=None, stateful_batch_size=2, **with_features(0)),
            "cannot be combined with features or count_model",
        ),
        (
            lambda m: generator(styles=None, stateful_batch_size=2),
            "needs a stateful stack: give rnn_stack.* layer_options={'stateful': True}",
        ),
        (lambda m: generator(tie_embeddings=True, embedding=one_hot()), "needs a TokenEmbedding"),
        (
            lambda m: m.generate(["h"], [0], temperature=-1.0),
            "temperature must be a number of at least 0, got -1.0",
        ),
        (
            lambda m: m.generate(["h"], [0], temperature=float("nan")),
            "temperature must be a number of at least 0, got nan",
        ),
        (lambda m: m.generate(["h"], [0], length_penalty=1.0), "length_penalty needs beam_width"),
        (
            lambda m: generator(count_model=layers.KneserNey(SIZE, 3)),
            "has no counts yet",
        ),
        (
            lambda m: generator(count_model=layers.KneserNey(5, 3)),
            "has vocab_size=5, but",
        ),
        (lambda m: generator(styles=None, **with_features()), "vectors per style .max_style_n=3."),
        (lambda m: generator(styles=["up", "up"]), "styles must be different names"),
        (lambda m: generator(stack=stack(return_state=False)), "and return_state=True"),
        (lambda m: generator(stack=stack(bidirectional=True)), "must read forwards"),
        (lambda m: SequenceGenerator(TextEncoder("ab")), "an encoder with an end token: end=True"),
        (lambda m: m.char_log_probs(["h"], "l"), "cannot score characters"),
        (lambda m: m.fit_interpolation(["h"], [0]), "has no count model: create it with"),
        (
            lambda m: generator(count_model=counts()).fit_interpolation([]),
            "needs at least one text, got none",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call(generator())
