"""Training of recipes. The package itself can be called: `keras_seq.train("ner", units=64)`."""

import sys
import types
from typing import Any

from keras_seq.train.api import TrainedRun, load_run, train_run
from keras_seq.train.config_file import read_config_file
from keras_seq.train.cross_validation import CrossValidation, cross_validate
from keras_seq.train.sharing import pull_run

__all__ = [
    "CrossValidation",
    "TrainedRun",
    "cross_validate",
    "load_run",
    "pull_run",
    "read_config_file",
    "train_run",
]


class _CallablePackage(types.ModuleType):
    """Package `keras_seq.train`, which is also the function `train_run`."""

    def __call__(self, recipe: str, **options: Any) -> TrainedRun | None:
        """Train a model, evaluate it and save the run; see `train_run`."""
        return train_run(recipe, **options)


sys.modules[__name__].__class__ = _CallablePackage
