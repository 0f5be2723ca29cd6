"""Examples with labels: those of public sets with texts, and labels that nobody could learn."""

from keras_seq._internal.errors import InputError, excerpt
from keras_seq.data.files import SPLITS
from keras_seq.data.split import hash_split
from keras_seq.data.tfds_builders import load_tfds


def load_labelled_tfds(name, texts):
    """Texts with their labels of a public set of TFDS that has a feature "label".

    A set without a validation split gets one from its training split, by content.

    Args:
        name: As of `keras_seq.data.load_tfds`.
        texts: What the feature with the text may be called.

    Returns:
        By split, a list of (text, name of the label).

    Raises:
        InputError: There is no such set, or it has no such features.
    """
    import tensorflow_datasets as tfds

    builder = load_tfds(name)
    features = builder.info.features
    text = next((feature for feature in texts if feature in features), None)
    if text is None or "label" not in features:
        raise InputError(
            f"The data set {name} has the features {', '.join(features)}; needed are a text "
            f"({' or '.join(texts)}) and a label."
        )
    names, splits = features["label"].names, {}
    for split in builder.info.splits:
        if split in SPLITS:
            rows = [
                (row[text].decode("utf-8"), names[row["label"]])
                for row in tfds.as_numpy(builder.as_dataset(split=split))
                if row["label"] >= 0  # some keep the labels of the test split to themselves
            ]
            splits[split] = [row for row in rows if row[0].strip()]
    if "validation" not in splits:
        parts = {"train": [], "validation": []}
        for row in splits.get("train", ()):
            parts["validation" if hash_split(row[0]) == "validation" else "train"].append(row)
        splits |= parts
    return {split: rows for split, rows in splits.items() if rows}


def check_labels(labels):
    """Refuses labels that no training example has.

    Args:
        labels: By split, the label of each example.

    Raises:
        InputError: There is one in the validation or test split.
    """
    known = set(labels.get("train", ()))
    for split, found in labels.items():
        for label in found if known else ():
            if label not in known:
                raise InputError(
                    f"The {split} split has the label {excerpt(label)!r}; no training example has."
                )
