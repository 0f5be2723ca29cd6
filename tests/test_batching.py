"""Batches with every example once per epoch, bucketed by length, equal after a resume."""

import dataclasses
import doctest

import numpy as np
import pytest

from keras_seq import batching as module
from keras_seq._internal.buckets import bucket_length
from keras_seq._internal.ragged import RaggedArray
from keras_seq.batching import EncodedDataset, count_batches, make_batches


def examples(count=23, longest=70, **widths):
    lengths = np.random.default_rng(0).integers(1, longest + 1, count)
    lengths[0] = longest
    inputs = np.zeros((count, longest), "int32")
    for row, n in enumerate(lengths):
        inputs[row, :n] = row + 1
    arrays = {"tokens": inputs, "number": np.arange(count)}
    return EncodedDataset(arrays, inputs + 0, lengths, ["tokens", "targets"], **widths)


@pytest.mark.parametrize(
    ("by", "min_length", "buckets_per_octave"),
    [("length", 16, 2), ("length", 4, 2), ("length", 4, 4), ("chance", 16, 2)],
)
def test_every_example_once_an_epoch(by, min_length, buckets_per_octave):
    dataset = examples(min_length=min_length, buckets_per_octave=buckets_per_octave)
    dataset = dataset if by == "length" else dataclasses.replace(dataset, lengths=None)
    batches = list(make_batches(dataset, 5, seed=1, initial_epoch=0, epochs=2))
    assert len(batches) == 10
    for epoch in (batches[:5], batches[5:]):
        numbers = [n for x, _ in epoch for n in x["number"].numpy()]
        assert sorted(numbers) == list(range(23))
    for x, y in batches:
        np.testing.assert_array_equal(x["tokens"], y)
        assert x["number"].shape[0] == x["tokens"].shape[0]
        if by == "length":
            longest = max(dataset.lengths[n] for n in x["number"].numpy())
            assert y.shape[1] == min(bucket_length(longest, buckets_per_octave, min_length), 70)
    second = list(make_batches(dataset, 5, seed=1, initial_epoch=1, epochs=2))
    for (x, _), (again, _) in zip(batches[5:], second, strict=True):
        np.testing.assert_array_equal(x["number"], again["number"])


def test_batches_with_too_many_time_steps_are_divided(monkeypatch):
    dataset = examples()
    whole = list(make_batches(dataset, 10, 1, 0, 2))
    assert count_batches(dataset, 10) == len(whole) / 2 == 3
    monkeypatch.setattr(module, "MAX_BATCH_STEPS", 200)
    parts = list(make_batches(dataset, 10, 1, 0, 2))
    assert count_batches(dataset, 10) == len(parts) / 2 > 3
    assert all(y.shape[0] * y.shape[1] <= 200 for _, y in parts)
    assert count_batches(dataclasses.replace(dataset, step_length=4), 10) == 3  # 4 times 200
    numbers, all_numbers = (
        np.concatenate([x["number"] for x, _ in batches]) for batches in (parts, whole)
    )
    for epoch in (slice(23), slice(23, 46)):
        assert sorted(numbers[epoch]) == sorted(all_numbers[epoch]) == list(range(23))
    monkeypatch.setattr(module, "MAX_BATCH_STEPS", 10)  # less than one example
    assert count_batches(dataset, 10) == 23


def test_each_example_keeps_its_weight():
    dataset = dataclasses.replace(examples(), weights=np.arange(23) / 8)
    for x, _, weights in make_batches(dataset, 5, 1, 0, 2, (1,), 2):
        np.testing.assert_array_equal(weights, x["number"].numpy() / 8)
    with pytest.raises(ValueError, match="'weights': 22"):
        dataclasses.replace(dataset, weights=np.ones(22))


@pytest.mark.parametrize("batch_size, count", [(6, 24), (6, 23), (12, 13)])
def test_shards_have_equal_shapes_and_every_example(batch_size, count):
    whole = list(make_batches(examples(count), batch_size, 1, 0, 2))
    others = [
        list(make_batches(examples(count), batch_size, 1, 0, 2, shards, 3))
        for shards in ((0, 1), (2,))
    ]
    assert len(others[0]) == 2 * len(whole) and len(others[1]) == len(whole)
    for step, (x, y) in enumerate(whole):
        parts = [*others[0][2 * step : 2 * step + 2], others[1][step]]
        assert len({part.shape for _, part in parts}) == 1 and parts[0][1].shape[1] == y.shape[1]
        seen = np.concatenate([x["number"] for x, _ in parts])
        assert set(seen) == set(x["number"].numpy())
        assert len(seen) == 3 * -(-len(x["number"]) // 3), "no more than it takes"


def ragged(array, lengths):
    return RaggedArray([row[:n] for row, n in zip(array, lengths)], array.dtype)


def test_ragged_arrays_equal_padded_arrays():
    padded = examples()
    rows = ragged(padded.targets, padded.lengths)
    inputs = {**padded.inputs, "tokens": rows}
    assert len(rows) == 23 and rows.lengths.sum() == padded.lengths.sum()
    np.testing.assert_array_equal(rows[:], padded.targets)
    np.testing.assert_array_equal(rows[:0], np.zeros((0, 0)))
    with_ragged = make_batches(dataclasses.replace(padded, inputs=inputs), 5, 1, 0, 2)
    both = zip(make_batches(padded, 5, 1, 0, 2), with_ragged, strict=True)
    for (x, y), (again, _) in both:
        np.testing.assert_array_equal(x["number"], again["number"])
        np.testing.assert_array_equal(again["tokens"], y)
    few = [3, 11, 4]
    wide = max(padded.lengths[few]) + 2
    datasets = (padded, dataclasses.replace(padded, inputs=inputs))
    actual, expected = (dataset.pad_batch(few, wide)[0]["tokens"] for dataset in datasets)
    np.testing.assert_array_equal(actual, expected)


def test_batches_without_padding_are_the_same():
    padded = examples()
    characters = np.arange(23 * padded.targets.shape[1] * 2).reshape(23, -1, 2)
    characters *= (padded.targets > 0)[..., None]
    inputs = {**padded.inputs, "characters": characters}
    sequences = [*padded.sequences, "characters"]
    padded = dataclasses.replace(padded, inputs=inputs, sequences=sequences)
    compact = padded.without_padding()
    for array in (compact.inputs["tokens"], compact.inputs["characters"], compact.targets):
        assert isinstance(array, RaggedArray)
        np.testing.assert_array_equal(array.lengths, padded.lengths)
    assert compact.inputs["number"] is padded.inputs["number"]
    assert compact.without_padding().targets is compact.targets
    both = zip(make_batches(padded, 5, 1, 0, 1), make_batches(compact, 5, 1, 0, 1), strict=True)
    for (x, y), (again, targets) in both:
        for name in x:
            np.testing.assert_array_equal(x[name], again[name])
        np.testing.assert_array_equal(y, targets)


def test_rows_are_converted_when_they_are_read():
    rows = [np.array([1, 2, 3], "int16"), np.array([4], "int16")]
    converted = []
    array = RaggedArray(rows, "float16", lambda row: converted.append(row) or row / 2)
    assert not converted
    np.testing.assert_array_equal(array[[1]], np.array([[2]], "float16"))
    assert len(converted) == 1 and converted[0] is rows[1]
    assert array[:].dtype == array.dtype == "float16"


def test_batches_have_the_shapes_that_are_known():
    padded = examples()
    dataset = dataclasses.replace(padded, inputs={**padded.inputs, "image": np.ones((23, 4, 5))})
    [(inputs, targets)] = [make_batches(dataset, 5, 1, 0, 1).element_spec]
    assert inputs["tokens"].shape.as_list() == targets.shape.as_list() == [None, None]
    assert inputs["image"].shape.as_list() == [None, 4, 5]
    assert inputs["number"].shape.as_list() == [None]


def test_padding_that_is_not_zero_remains():
    dataset = EncodedDataset(
        np.array([[1, -1], [2, 3]]), np.array([[1, 0], [2, 3]]), [1, 2], ["inputs", "targets"]
    ).without_padding()
    np.testing.assert_array_equal(dataset.inputs, [[1, -1], [2, 3]])
    assert isinstance(dataset.targets, RaggedArray)
    fixed = EncodedDataset(np.ones((2, 2)))
    assert fixed.without_padding() is fixed


@pytest.mark.parametrize(
    ("rows", "num_rows", "count"),
    [([2], None, 1), ([4, 0], None, 2), ([1, 3, 0], None, 4), (range(5), None, 8), ([1, 3], 5, 5)],
)
def test_pad_batch(rows, num_rows, count):
    letters, styles = np.arange(5 * 7 * 2).reshape(5, 7, 2) + 1, np.arange(5)
    inputs = {"letters": letters, "style": styles, "ids": letters[..., 0]}
    labels = np.arange(5 * 7).reshape(5, 7)
    dataset = EncodedDataset(inputs, labels, [7] * 5, ["letters", "ids"])
    for length in (4, 16):
        inputs, targets = dataset.pad_batch(rows, length, num_rows)
        assert {name: array.shape for name, array in inputs.items()} == {
            "letters": (count, length, 2),
            "style": (count,),
            "ids": (count, length),
        }
        for place in range(count):
            row = rows[min(place, len(rows) - 1)]
            assert inputs["style"][place] == row
            np.testing.assert_array_equal(inputs["letters"][place, :7], letters[row, :length])
            assert not inputs["letters"][place, 7:].any()
            np.testing.assert_array_equal(targets[place], labels[row])
        np.testing.assert_array_equal(inputs["ids"], inputs["letters"][..., 0])


def test_targets_as_long_as_the_longest_sequence_are_not_cropped():
    tokens, soft = (
        np.array([[4, 5], [6, 0], [7, 0]]),
        np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]),
    )
    dataset = EncodedDataset({"tokens": tokens}, soft, [2, 1, 1], ["tokens"], min_length=1)
    batches = list(make_batches(dataset, 1, seed=0, initial_epoch=0, epochs=1))
    assert sorted(x["tokens"].shape[1] for x, _ in batches) == [1, 1, 2]
    assert all(y.shape == (1, 2) for _, y in batches)
    inputs, targets = dataset.pad_batch([1], 1)
    assert inputs["tokens"].shape == (1, 1) and targets.tolist() == [[0.2, 0.8]]


MISTAKES = {
    "an unknown name": (
        lambda x: EncodedDataset({"x": x}, x, [2, 3], ["y"]),
        r"`sequences` names 'y', but the arrays are \['targets', 'x'\]",
    ),
    "no sequence": (lambda x: EncodedDataset(x, x, [2, 3]), "`sequences` names no array"),
    "too few examples": (
        lambda x: EncodedDataset(x, x[:1], [2, 3], ["inputs"]),
        r"different numbers of examples: \{'inputs': 2, 'targets': 1, 'lengths': 2\}",
    ),
    "too short": (
        lambda x: EncodedDataset({"x": x}, None, [2, 4], ["x"]),
        r"'x' has the shape \(2, 3\), but the longest example has 4 time steps",
    ),
    "no time axis": (
        lambda x: EncodedDataset(x, x[:, 0], [2, 3], ["inputs", "targets"]),
        r"'targets' has the shape \(2,\)",
    ),
}


@pytest.mark.parametrize("make, message", MISTAKES.values(), ids=MISTAKES)
def test_mismatched_arrays_raise_errors(make, message):
    with pytest.raises(ValueError, match=message):
        make(np.zeros((2, 3)))


def test_examples_in_docstrings():
    results = doctest.testmod(module)
    assert results.attempted and not results.failed
