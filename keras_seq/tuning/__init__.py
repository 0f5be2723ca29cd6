"""Tunes a recipe: tries values of the fields that its Config marks, and trains the best for good.

keras-tuner chooses what to try, and divides the work over machines. Each trial is trained like any
run, without the test split, in a folder of its own, so that an interrupted one goes on.
"""

from keras_seq._internal.errors import InputError

try:
    import grpc  # noqa: F401
    import keras_tuner  # noqa: F401
except ImportError as error:
    raise InputError(
        f"Tuning needs keras-tuner ({error}): pip install 'keras-seq[tune]'."
    ) from None

from keras_seq.tuning.cluster import CLUSTER, serve, work
from keras_seq.tuning.search import (
    SILENCE,
    BayesianSearch,
    HyperbandSearch,
    RandomSearch,
    Search,
    make_oracle,
    text,
)
from keras_seq.tuning.space import space_of, values_of
from keras_seq.tuning.trial import Trainer
from keras_seq.tuning.tune import tune

__all__ = [
    "CLUSTER",
    "SILENCE",
    "BayesianSearch",
    "HyperbandSearch",
    "RandomSearch",
    "Search",
    "Trainer",
    "make_oracle",
    "serve",
    "space_of",
    "text",
    "tune",
    "values_of",
    "work",
]
