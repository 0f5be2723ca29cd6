"""Labeled texts of public datasets, and a check of labels."""

from collections.abc import Iterable, Mapping, Sequence

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.files import SPLITS
from keras_seq.data.huggingface import open_hf, to_text
from keras_seq.data.split import hash_split
from keras_seq.data.tfds_builders import load_tfds


def load_labeled_tfds(name: str, text_features: Sequence[str]) -> dict[str, list[tuple[str, str]]]:
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


def load_labeled_hf(
    source: str, columns: Mapping[str, str], usual_names: Sequence[str]
) -> dict[str, list[tuple[str, str]]]:
    """Load the texts and labels of a dataset of the Hugging Face Hub.

    Examples without a text or a label are left out and counted.

    Args:
        source: Source, as for `open_hf`.
        columns: Columns of the user: a dictionary from "text", or another name, and "label" to the
            names of columns. `--NAME-column` is the option for the column NAME.
        usual_names: Usual names of the column of the texts, the default first. If the user has not
            named another column, the first that exists is read.

    Returns:
        A dictionary from split names to lists of (text, label name).

    Raises:
        InputError: As `open_hf` raises, or if the dataset has no such columns.
    """
    dataset = open_hf(source)
    (text, text_column), (label, label_column) = columns.items()
    candidates = usual_names if text_column == usual_names[0] else [text_column]
    chosen = {
        text: dataset.choose_column(candidates, f"--{text}-column"),
        label: dataset.choose_column([label_column], f"--{label}-column"),
    }

    def parse(*values: object) -> tuple[str, str] | str:
        first, second = (
            to_text(value, dataset, column)
            for value, column in zip(values, chosen.values(), strict=True)
        )
        return (first, second) if first and second else f"the {text} or the {label} is missing"

    return dataset.read(chosen, parse, lambda row: row[0])


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
