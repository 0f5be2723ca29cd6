"""Bucket lengths: few, long enough, and the same for examples of similar lengths."""

from hypothesis import given
from hypothesis import strategies as st

from keras_seq._internal.buckets import bucket_by_length, bucket_length


def test_bucket_lengths():
    lengths = (16, 17, 20, 21, 32, 33, 129)
    assert [bucket_length(n, 4) for n in lengths] == [16, 20, 20, 24, 32, 40, 160]
    assert [bucket_length(n, 4, 4) for n in range(3, 13)] == [4, 4, 5, 6, 7, 8, 10, 10, 12, 12]
    assert [bucket_length(n, min_length=8) for n in (1, 8, 9, 13, 17, 25)] == [8, 8, 12, 16, 24, 32]
    assert [bucket_length(n, min_length=1) for n in range(1, 6)] == [1, 2, 3, 4, 6]


def test_bucket_lengths_are_few_and_long_enough():
    lengths = {bucket_length(n) for n in range(1, 1025)}
    assert sorted(lengths) == [16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024]
    assert all(n <= bucket_length(n) for n in range(1, 1025))


def test_bucket_by_length():
    lengths = [3, 40, 90, 33, 5, 70, 17, 45]
    expected = [([2, 5], 96), ([7, 1], 48), ([3], 40), ([6], 20), ([4, 0], 16)]
    assert bucket_by_length(lengths, 2) == expected
    assert bucket_by_length([], 4) == []


@given(st.lists(st.integers(1, 3_000), max_size=50), st.integers(1, 9))
def test_buckets_have_similar_lengths_and_every_example(lengths, batch_size):
    batches = bucket_by_length(lengths, batch_size)
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(lengths)))
    for rows, wide in batches:
        assert len(rows) <= batch_size
        assert all(wide / 2 <= lengths[row] <= wide or wide == 16 for row in rows)
