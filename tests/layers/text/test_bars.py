"""Bar position and earlier bars against a plain loop over tokens."""

import keras
import numpy as np
import pytest
from helpers import to_numpy
from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.layers import BarPositionEmbedding, EarlierBarsEmbedding

# Ids: padding, meters of 3 and 4, end of a bar, beginning of a repeat, and notes of two voices.
METERS, BAR_END = {1: 3, 2: 4}, 3
DURATIONS = [[0, 0, 0, 0, 0, 1, 2, 0, 0], [0, 0, 0, 0, 0, 0, 0, 1, 2]]
VOCAB_SIZE = len(DURATIONS[0])
MAX_TIME, NUM_BARS, DISTANCES = 5, 2, (1, 2)
STEPS = 24


def position_layer(num_voices):
    layer = BarPositionEmbedding(
        DURATIONS[:num_voices], [BAR_END], METERS, 3, max_time=MAX_TIME, num_bars=NUM_BARS
    )
    layer.build((None, None))
    return layer


def earlier_layer(num_voices):
    layer = EarlierBarsEmbedding(DURATIONS[:num_voices], [BAR_END], METERS, 3, DISTANCES)
    layer.build((None, None))
    return layer


def expected_position(sequence, num_voices, elapsed, remaining, bars):
    """Return the vectors by a loop over the tokens."""
    totals, start, length, number, vectors = [0] * num_voices, 0, 0, 0, []
    for token in sequence:
        totals = [total + voice[token] for total, voice in zip(totals, DURATIONS)]
        length = METERS.get(token, length)
        if token == BAR_END:
            start, number = min(totals), number + 1
        time = min(totals) - start
        left = min(max(length - time, -1), MAX_TIME) + 2 if length else 0
        bar = (number - 1) % NUM_BARS + 1 if number else 0
        vectors.append(elapsed[min(time, MAX_TIME)] + remaining[left] + bars[bar])
    return vectors


def expected_earlier(sequence, num_voices, table):
    """Return the vectors by a search backwards from each token."""
    total, length, states, vectors = 0, 0, [], []
    for t, token in enumerate(sequence):
        duration = sum(voice[token] for voice in DURATIONS[:num_voices])
        total, length = total + duration, METERS.get(token, length)
        states.append((total, duration == 0))
        parts = []
        for number, distance in enumerate(DISTANCES):
            wanted = (total - num_voices * distance * length, duration == 0)
            matches = [i for i in range(t) if length and states[i] == wanted]
            row = number * VOCAB_SIZE + sequence[matches[-1] + 1] if matches else None
            parts.append(np.zeros(3) if row is None else table[row])
        vectors.append(np.concatenate(parts))
    return vectors


@pytest.mark.parametrize("num_voices", [1, 2])
def test_equals_the_loop(num_voices):
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, STEPS, 32)
    ids = rng.integers(1, VOCAB_SIZE, (32, STEPS)) * (np.arange(STEPS) < lengths[:, None])
    for layer, expected in (
        (position_layer(num_voices), expected_position),
        (earlier_layer(num_voices), expected_earlier),
    ):
        actual = to_numpy(layer(ids))
        tables = [to_numpy(weight) for weight in layer.weights]
        for row, vectors, length in zip(ids, actual, lengths):
            np.testing.assert_allclose(
                vectors[:length], expected(row[:length], num_voices, *tables), atol=1e-6
            )
        # Step by step, from the middle on.
        halves = (lengths + 1) // 2
        prompts = ids[:, : halves.max()] * (np.arange(halves.max()) < halves[:, None])
        state = layer.initial_state(ops.convert_to_tensor(prompts), halves, STEPS)
        rows = np.arange(32)
        for places in (halves - 1, halves):
            vectors, state = layer.step(ops.convert_to_tensor(ids[rows, places]), state)
            np.testing.assert_allclose(to_numpy(vectors), actual[rows, places], atol=1e-6)


def test_a_variation_does_not_end_the_repetition():
    tune = [2, 5, 5, 6, 3, 6, 6]  # one long note instead of two short ones, then the same
    layer = earlier_layer(1)
    has_vector = to_numpy(layer(np.array([tune])))[0, :, :3].any(axis=-1)
    assert has_vector.tolist() == [False] * 4 + [True, True, True]


@pytest.mark.parametrize("make", [position_layer, earlier_layer])
def test_saving(tmp_path, make):
    layer, inputs = make(2), keras.Input((None,), dtype="int32")
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    ids = np.array([[2, 5, 7, 3, 5, 8, 6, 3]])
    np.testing.assert_array_equal(to_numpy(loaded(ids)), to_numpy(model(ids)))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"durations": [[0, 1], [0]]}, r"of the same length, got rows of \[1, 2\] numbers"),
        ({"durations": []}, r"one row per voice, all of the same length, got rows of \[\]"),
        ({"durations": [[0, 0.5]]}, r"must be integers of at least 0, got \[\[0.0, 0.5\]\]"),
        ({"durations": [[0, -1]]}, r"must be integers of at least 0, got \[\[0, -1\]\]"),
        ({"bar_ends": [2]}, "The vocabulary has 2 ids, got the id 2"),
        ({"bar_lengths": {2: 4}}, "The vocabulary has 2 ids, got the id 2"),
        ({"bar_lengths": {1: 0}}, r"bar_lengths must be at least 1, got \[0\]"),
        ({"output_dim": 0}, "`output_dim` must be an integer of at least 1, got 0"),
        ({"distances": [1, 0]}, r"distances must be numbers of at least 1, got \[1, 0\]"),
        ({"distances": []}, r"distances must be numbers of at least 1, got \[\]"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"durations": [[0, 1]], "bar_ends": [0], "bar_lengths": {}, "output_dim": 2}
    with pytest.raises(InputError, match=message):
        EarlierBarsEmbedding(**{**arguments, **change})
