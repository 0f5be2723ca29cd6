"""Where examples come from: installed packages, TensorFlow Datasets, or the user's own files."""

from keras_seq.data.files import files_by_class, fingerprint
from keras_seq.data.prepare import arrays, prepare, public
from keras_seq.data.split import split_of

__all__ = ["arrays", "files_by_class", "fingerprint", "prepare", "public", "split_of"]
