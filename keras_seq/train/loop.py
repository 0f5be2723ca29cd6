"""Trains a recipe: from its config to a finished run."""

import contextlib
import functools
import math
import time
from collections.abc import Callable
from typing import Any

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.batching import make_batches
from keras_seq.train import fingerprints, plots
from keras_seq.train.callbacks import RunCallback
from keras_seq.train.config import Config
from keras_seq.train.distribution import Devices
from keras_seq.train.progress import Progress
from keras_seq.train.recipe import Recipe
from keras_seq.train.runs import Run


def train(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    command: str,
    test: bool = True,
    devices: Devices | None = None,
) -> dict[str, Any] | None:
    """Train, evaluate and save; go on from the run's checkpoint if there is one.

    Args:
        recipe: Recipe.
        preset: Name of the preset that the config was derived from.
        config: Config of the recipe.
        run: Run, free or interrupted.
        command: Command line, noted in the metrics.
        test: Whether to read the test split; if not, pictures are of the validation split.
        devices: Devices to train on, if not where TensorFlow does.

    Returns:
        The metrics that are written to metrics.json; None, if another worker writes them.
    """
    model, run_callback = fit(recipe, preset, config, run, Progress, test=test, devices=devices)
    if devices is not None and not devices.chief:
        devices.wait()
        return None
    splits = run_callback.splits
    if run_callback.best_weights is not None:
        model.set_weights(run_callback.best_weights)
    reported = next(name for name in ("test", "validation", "train") if name in splits)
    report = recipe.report(model, splits, reported, run.folder)
    plots.learning_curve(run_callback.history, config.monitor, run.folder / "learning_curve.png")
    with atomic_write(run.model_path) as path:
        model.save(path)
    metrics = {
        "recipe": recipe.name,
        "preset": preset,
        "seed": config.seed,
        **{
            split: recipe.evaluate(model, splits, split)
            for split in ("validation", "test")
            if split in splits
        },
        **({"report": report} if report else {}),
        "epochs": run_callback.epochs,
        "kept_epoch": run_callback.best_epoch or run_callback.epochs,
        "parameters": model.count_params(),
        "seconds": round(run_callback.seconds(), 1),
        "versions": fingerprints.package_versions(),
        "command": command,
    }
    run.finish(metrics)
    if devices is not None:
        with contextlib.suppress(InputError):  # what the others do now does not matter
            devices.wait()
    return metrics


def fit(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    make_callback: Callable[[RunCallback], keras.callbacks.Callback],
    *,
    fraction: float = 1.0,
    test: bool = True,
    devices: Devices | None = None,
) -> tuple[keras.Model, RunCallback]:
    """Train, or go on from the run's checkpoint, and leave a checkpoint behind.

    Args:
        recipe, preset, config, run, test, devices: As for `train`.
        make_callback: Makes of the RunCallback a callback, which is called after it.
        fraction: Share of the training after which to stop; the schedules are those of the whole.

    Returns:
        The model as it is after the last epoch, and its `RunCallback`.

    Raises:
        InputError: If the data has no training examples, or an interrupted run cannot go on.
    """
    started = time.perf_counter()
    if devices is not None:
        devices.check(config.batch_size)
    splits = dict(recipe.load(config))
    current = fingerprints.compute(recipe, splits)
    if run.is_started:
        fingerprints.check(run.fingerprint, current, recipe, run.folder)
    if not test:
        splits.pop("test", None)
    if "train" not in splits:
        raise InputError(f"The data {config.data!r} is so small that it has no training examples.")

    def build() -> keras.Model:
        keras.utils.set_random_seed(config.seed)  # after loading, which may draw random numbers
        return recipe.build(config, splits["train"])

    model = build()
    examples = recipe.encode(model, splits["train"])
    chief = devices is None or devices.chief
    if chief and not run.is_started:
        run.start(recipe.name, preset, config, current, recipe.path)
    steps_per_epoch = math.ceil(len(examples) / config.batch_size)
    epochs = max(1, round(config.steps / steps_per_epoch))
    run_callback = RunCallback(run, recipe, config, splits, model, epochs, started)
    run_callback.restore()
    last = max(1, round(fraction * epochs))
    batches = functools.partial(
        make_batches, examples, config.batch_size, config.seed, run_callback.epochs_done, last
    )
    if run_callback.epochs_done < last:
        fit_options: dict[str, Any] = {
            "steps_per_epoch": steps_per_epoch,
            "initial_epoch": run_callback.epochs_done,
            "epochs": last,
            "callbacks": [run_callback, make_callback(run_callback)] if chief else [],
            "shuffle": False,  # the batches come in an order of their own
            "verbose": 0,
        }
        if devices is None:
            # Else Keras traces the train step twice: once to make the optimizer's variables.
            model.optimizer.build(model.trainable_variables)
            model.fit(batches(), **fit_options)
        else:
            must_match = {
                "seed": config.seed,
                "batch size": config.batch_size,
                "number of examples": len(examples),
                "number of weights": model.count_params(),
                "number of epochs": last,
                "number of epochs done": run_callback.epochs_done,
            }
            devices.fit(model, build, examples, batches, must_match, **fit_options)
    return model, run_callback
