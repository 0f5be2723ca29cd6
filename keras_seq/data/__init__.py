"""Readers of examples from user files, TensorFlow Datasets, the Hugging Face Hub and archives."""

from keras_seq._internal.errors import excerpt
from keras_seq._internal.subsampling import subsample
from keras_seq.data.conll import read_conll
from keras_seq.data.files import (
    SPLITS,
    fingerprint,
    list_files_by_class,
    list_files_by_split,
    read_first_line,
    read_lines,
    resolve_split,
)
from keras_seq.data.huggingface import HubDataset, open_hf
from keras_seq.data.labeled_texts import (
    LabeledFile,
    LabeledText,
    list_labeled_files,
    read_labeled_texts,
)
from keras_seq.data.labels import check_labels, load_labeled_hf, load_labeled_tfds
from keras_seq.data.lexicons import read_lexicon
from keras_seq.data.parallel import ParallelOptions, read_parallel_text
from keras_seq.data.row_errors import BadRows
from keras_seq.data.sdist import read_from_sdist, read_from_wheel
from keras_seq.data.speech_corpora import CorpusOptions, SpeechCorpus
from keras_seq.data.speech_formats import open_speech_corpus
from keras_seq.data.split import carve_splits, hash_fold, hash_split
from keras_seq.data.summaries import ReadSummary, collect_summaries
from keras_seq.data.tables import read_table
from keras_seq.data.tagged_json import read_spans
from keras_seq.data.tagging import TaggingOptions, open_tagged
from keras_seq.data.tfds_builders import cached_dataset, load_tfds, to_arrays
from keras_seq.data.videos import VIDEO_SUFFIXES, read_video

__all__ = [
    "SPLITS",
    "VIDEO_SUFFIXES",
    "BadRows",
    "CorpusOptions",
    "HubDataset",
    "LabeledFile",
    "LabeledText",
    "ParallelOptions",
    "ReadSummary",
    "SpeechCorpus",
    "TaggingOptions",
    "cached_dataset",
    "carve_splits",
    "check_labels",
    "collect_summaries",
    "excerpt",
    "fingerprint",
    "hash_fold",
    "hash_split",
    "list_files_by_class",
    "list_files_by_split",
    "list_labeled_files",
    "load_labeled_hf",
    "load_labeled_tfds",
    "load_tfds",
    "open_hf",
    "open_speech_corpus",
    "open_tagged",
    "read_conll",
    "read_first_line",
    "read_from_sdist",
    "read_from_wheel",
    "read_labeled_texts",
    "read_lexicon",
    "read_lines",
    "read_parallel_text",
    "read_spans",
    "read_table",
    "read_video",
    "resolve_split",
    "subsample",
    "to_arrays",
]
