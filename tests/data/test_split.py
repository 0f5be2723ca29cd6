"""Tests of splits by hash."""

from keras_seq.data import carve_splits, hash_split


def test_missing_splits_are_taken_from_the_training_split():
    keys = [str(number) for number in range(300)]
    splits = carve_splits({"train": keys}, str)
    assert splits == {
        split: [key for key in keys if hash_split(key) == split]
        for split in ("train", "validation", "test")
    }
    assert all(len(rows) > 10 for rows in splits.values())
    splits = carve_splits({"test": keys[50:], "train": keys[:50], "validation": []}, str)
    assert splits["test"] == keys[50:]
    assert sorted(splits["train"] + splits["validation"]) == sorted(keys[:50])
