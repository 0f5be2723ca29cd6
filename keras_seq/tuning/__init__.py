"""Hyperparameter search over the tunable fields of a recipe's Config.

keras-tuner selects the values and distributes trials over machines. Each trial is trained like any
run, without the test split, in its own folder. An interrupted trial resumes there.
"""

from keras_seq._internal.errors import InputError

try:
    import grpc  # noqa: F401
    import keras_tuner  # noqa: F401
except ImportError as error:
    raise InputError(
        f"Tuning needs keras-tuner ({error}). Install it with: pip install 'keras-seq[tune]'."
    ) from None

from keras_seq.tuning.cluster import KERASTUNER_VARIABLES, run_trials, serve_workers
from keras_seq.tuning.search import (
    WORKER_TIMEOUT,
    BayesianSearch,
    HyperbandSearch,
    RandomSearch,
    Search,
    make_oracle,
)
from keras_seq.tuning.space import format_value, make_hyperparameters, trial_values
from keras_seq.tuning.trial import Trainer
from keras_seq.tuning.tune import tune

__all__ = [
    "KERASTUNER_VARIABLES",
    "WORKER_TIMEOUT",
    "BayesianSearch",
    "HyperbandSearch",
    "RandomSearch",
    "Search",
    "Trainer",
    "format_value",
    "make_hyperparameters",
    "make_oracle",
    "run_trials",
    "serve_workers",
    "trial_values",
    "tune",
]
