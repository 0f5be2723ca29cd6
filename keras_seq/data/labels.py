"""Labeled texts of public datasets, and a check of labels."""

from collections.abc import Iterable, Mapping, Sequence

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.files import SPLITS
from keras_seq.data.split import hash_split
from keras_seq.data.tfds_builders import load_tfds


def load_labelled_tfds(name: str, text_features: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
    """Load the texts and labels of a public TFDS dataset that has a feature "label".

    Without a validation split, the training examples whose `hash_split` is "validation" validate.
    Empty texts and examples without a label are left out.

    Args:
        name: Name of the dataset, as for `load_tfds`.
        text_features: Accepted names of the feature with the text. The first that exists is read.

    Returns:
        A dictionary from split names to lists of (text, label name).

    Raises:
        InputError: If the dataset does not exist, or has no such features.
    """
    import tensorflow_datasets as tfds

    builder = load_tfds(name)
    features = builder.info.features
    text_feature = next((feature for feature in text_features if feature in features), None)
    if text_feature is None or "label" not in features:
        raise InputError(
            f"The dataset {name} has the features {', '.join(features)}; needed are a text "
            f"({' or '.join(text_features)}) and a label."
        )
    label_names = features["label"].names
    splits: dict[str, list[tuple[str, str]]] = {}
    for split in builder.info.splits:
        if split in SPLITS:
            rows = [
                (row[text_feature].decode("utf-8"), label_names[row["label"]])
                for row in tfds.as_numpy(builder.as_dataset(split=split))
                if row["label"] >= 0  # The label is -1 in test splits with hidden labels.
            ]
            splits[split] = [row for row in rows if row[0].strip()]
    if "validation" not in splits:
        train_rows = splits.get("train", [])
        splits["train"] = [row for row in train_rows if hash_split(row[0]) != "validation"]
        splits["validation"] = [row for row in train_rows if hash_split(row[0]) == "validation"]
    return {split: rows for split, rows in splits.items() if rows}


def check_labels(labels: Mapping[str, Iterable[str]]) -> None:
    """Check that every label occurs in the training split.

    Args:
        labels: Labels of the examples, by split name. Without training examples, nothing is
            checked.

    Raises:
        InputError: If a label occurs in the validation or test split only.
    """
    train_labels = set(labels.get("train", ()))
    if not train_labels:
        return
    for split, split_labels in labels.items():
        for label in split_labels:
            if label not in train_labels:
                raise InputError(
                    f"The {split} split has the label {excerpt(label)!r}; no training example has."
                )
