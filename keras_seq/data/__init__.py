"""Where examples come from: installed packages, TensorFlow Datasets, or the user's own files."""

from keras_seq.data.conll import read_columns, read_spans
from keras_seq.data.files import (
    SPLITS,
    files_by_class,
    files_by_split,
    fingerprint,
    lines,
    split_in,
)
from keras_seq.data.labelled import check_labels, labelled, read_table
from keras_seq.data.prepare import arrays, prepare, public
from keras_seq.data.sdist import read_from_sdist, read_from_wheel
from keras_seq.data.split import split_of, tenth_of

__all__ = [
    "SPLITS",
    "arrays",
    "check_labels",
    "files_by_class",
    "files_by_split",
    "fingerprint",
    "labelled",
    "lines",
    "prepare",
    "public",
    "read_columns",
    "read_from_sdist",
    "read_from_wheel",
    "read_spans",
    "read_table",
    "split_in",
    "split_of",
    "tenth_of",
]
