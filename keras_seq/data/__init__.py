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
from keras_seq.data.labelled import check_labels, labelled
from keras_seq.data.prepare import arrays, prepare, public
from keras_seq.data.sdist import read_from_sdist, read_from_wheel
from keras_seq.data.split import split_of, tenth_of
from keras_seq.data.tables import read_table
from keras_seq.data.videos import VIDEOS, evenly, read_video

__all__ = [
    "SPLITS",
    "VIDEOS",
    "arrays",
    "check_labels",
    "evenly",
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
    "read_video",
    "split_in",
    "split_of",
    "tenth_of",
]
