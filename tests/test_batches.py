"""Batches: every example once an epoch, those of like length together, the same after a pause."""

import numpy as np
import pytest

from keras_seq.batches import Examples, by_length, epochs_of_batches, width


def examples(count=23, longest=70):
    lengths = np.random.default_rng(0).integers(1, longest + 1, count)
    lengths[0] = longest
    inputs = np.zeros((count, longest), "int32")
    for row, n in enumerate(lengths):
        inputs[row, :n] = row + 1
    return Examples({"tokens": inputs, "number": np.arange(count)}, inputs + 0, lengths)


@pytest.mark.parametrize("by", ["length", "chance"])
def test_every_example_once_an_epoch(by):
    given = examples() if by == "length" else examples()._replace(lengths=None)
    batches = list(epochs_of_batches(given, 5, seed=1, first_epoch=0, epochs=2))
    assert len(batches) == 10
    for epoch in (batches[:5], batches[5:]):
        numbers = [n for x, _ in epoch for n in x["number"].numpy()]
        assert sorted(numbers) == list(range(23))
    for x, y in batches:
        np.testing.assert_array_equal(x["tokens"], y)
        assert x["number"].shape[0] == x["tokens"].shape[0]
        if by == "length":
            longest = max(given.lengths[n] for n in x["number"].numpy())
            assert y.shape[1] == min(width(longest), 70)
    second = list(epochs_of_batches(given, 5, seed=1, first_epoch=1, epochs=2))
    for (x, _), (again, _) in zip(batches[5:], second, strict=True):
        np.testing.assert_array_equal(x["number"], again["number"])


def test_widths_are_few_and_wide_enough():
    widths = {width(n) for n in range(1, 1025)}
    assert sorted(widths) == [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
    assert all(n <= width(n) for n in range(1, 1025))


def test_rows_by_length():
    lengths = [3, 40, 90, 17, 5]
    assert [(list(rows), wide) for rows, wide in by_length(lengths, 2)] == [
        ([2], 96),
        ([1], 48),
        ([3], 24),
        ([0, 4], 16),
    ]
    assert by_length([], 4) == []
