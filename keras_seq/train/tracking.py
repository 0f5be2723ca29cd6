"""Loggers of a training: TensorBoard, Weights & Biases and MLflow, by their own callbacks."""

import contextlib
import dataclasses
import importlib.util
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from keras_seq._internal.errors import InputError, unknown_name
from keras_seq._internal.files import atomic_write
from keras_seq.train.config import Config
from keras_seq.train.runs import Run

if TYPE_CHECKING:
    import keras

Logger = Literal["tensorboard", "wandb", "mlflow"]
"""Name of a logger, which is also that of its package."""
TENSORBOARD_FOLDER = "tensorboard"
"""Folder in that of the run, for `tensorboard --logdir`."""
MLFLOW_ID_FILE = "mlflow_run_id"
"""File in the folder of a run with the identifier under which MLflow continues it."""


def check_loggers(names: Iterable[Logger]) -> None:
    """Check that the packages of loggers are installed, without importing them.

    >>> from keras_seq.train import tracking
    >>> tracking.check_loggers(["wand"])
    Traceback (most recent call last):
        ...
    keras_seq._internal.errors.InputError: There is no logger 'wand': did you mean 'wandb'?

    Args:
        names: Names of loggers.

    Raises:
        InputError: If a name is unknown or its package is missing.
    """
    for name in names:
        if name not in LOGGERS:
            raise unknown_name("logger", name, LOGGERS)
        spec = importlib.util.find_spec(name)
        # A folder that the package wrote here counts as a package without a file.
        if spec is None or spec.origin is None:
            raise InputError(
                f"The logger {name} needs the package {name}. Install it with: pip install {name}, "
                "or all loggers with: pip install 'keras-seq[loggers]'."
            )


@contextlib.contextmanager
def start_loggers(
    names: Iterable[Logger], run: Run, config: Config
) -> Iterator[list["keras.callbacks.Callback"]]:
    """Start loggers, and stop them at the end of the block, also after an error.

    A run that is resumed continues in the same run of each logger.

    Args:
        names: Names of loggers.
        run: Run that is trained. Loggers call it RECIPE/RUN.
        config: Config of the run, whose fields are logged as hyperparameters.

    Yields:
        Callbacks that log the `logs` of each epoch.

    Raises:
        InputError: If a logger does not start, for example because nobody is logged in.
    """
    title = f"{run.folder.parent.name}/{run.folder.name}"
    fields = dataclasses.asdict(config)
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(LOGGERS[name](run, title, fields)) for name in dict.fromkeys(names)
        ]


@contextlib.contextmanager
def _start_tensorboard(
    run: Run, title: str, fields: Mapping[str, Any]
) -> Iterator["keras.callbacks.Callback"]:
    import keras
    import tensorflow as tf
    from tensorboard.plugins.hparams import api

    folder = run.folder / TENSORBOARD_FOLDER
    with tf.summary.create_file_writer(str(folder)).as_default():
        # None is not a value of a hyperparameter.
        api.hparams({k: v for k, v in fields.items() if v is not None}, trial_id=title)
    yield keras.callbacks.TensorBoard(folder, write_graph=False)


@contextlib.contextmanager
def _start_wandb(
    run: Run, title: str, fields: Mapping[str, Any]
) -> Iterator["keras.callbacks.Callback"]:
    import wandb
    from wandb.integration.keras import WandbMetricsLogger

    try:
        # After an interruption, a file in `dir` holds the identifier by which "auto" continues.
        wandb_run = wandb.init(name=title, config=dict(fields), dir=run.folder, resume="auto")
    except wandb.Error as error:
        raise InputError(f"The logger wandb did not start: {error}") from error
    with wandb_run:
        yield WandbMetricsLogger()


@contextlib.contextmanager
def _start_mlflow(
    run: Run, title: str, fields: Mapping[str, Any]
) -> Iterator["keras.callbacks.Callback"]:
    import mlflow
    import mlflow.keras

    path = run.folder / MLFLOW_ID_FILE
    run_id = path.read_text().strip() if path.is_file() else None
    try:
        mlflow_run = mlflow.start_run(run_id, run_name=title)
    except mlflow.exceptions.MlflowException as error:
        raise InputError(f"The logger mlflow did not start: {error}") from error
    with mlflow_run:
        with atomic_write(path) as new:
            new.write_text(mlflow_run.info.run_id)
        mlflow.log_params(fields)
        yield mlflow.keras.MlflowCallback()


Start = Callable[
    [Run, str, Mapping[str, Any]], contextlib.AbstractContextManager["keras.callbacks.Callback"]
]
LOGGERS: Mapping[str, Start] = {
    "tensorboard": _start_tensorboard,
    "wandb": _start_wandb,
    "mlflow": _start_mlflow,
}
"""Functions that start a logger: run, title and hyperparameters to a context of a callback."""
