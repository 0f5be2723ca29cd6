"""Tests of sets of hashes."""

from hypothesis import given
from hypothesis import strategies as st

from keras_seq.data.hash_set import MIN_SLOTS, HashSet

TEXTS = st.text(st.characters(), max_size=3)


@given(st.lists(st.tuples(TEXTS, TEXTS)))
def test_it_is_a_set(rows):
    texts, known = HashSet(), set()
    for row in rows:
        assert texts.add(*row) == (row not in known)
        known.add(row)
    assert len(texts) == len(known)


def test_it_grows_and_stays_small():
    texts = HashSet()
    numbers = [*range(5 * MIN_SLOTS), *range(7 * MIN_SLOTS)]
    assert sum(texts.add("x" * 50, str(number)) for number in numbers) == 7 * MIN_SLOTS
    assert len(texts) == 7 * MIN_SLOTS
    assert len(texts._slots) * texts._slots.itemsize <= 64 * len(texts)
