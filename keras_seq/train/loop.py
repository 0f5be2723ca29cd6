"""Training loop of a recipe, from its config to a finished run."""

import contextlib
import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras

from keras_seq._internal import keras_compat, machine
from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.batching import RawExamples, count_batches, make_batches
from keras_seq.data.summaries import ReadSummary, collect_summaries
from keras_seq.train import fingerprints, initialization, optimizers, plots
from keras_seq.train.callbacks import RunCallback
from keras_seq.train.class_weights import weight_examples
from keras_seq.train.config import Config
from keras_seq.train.distribution import Devices
from keras_seq.train.progress import OtherWorkerProgress, Progress
from keras_seq.train.recipe import Recipe
from keras_seq.train.reporter import SILENT, Reporter
from keras_seq.train.runs import Run


def train(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    command: str,
    test: bool = True,
    devices: Devices | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    reporter: Reporter = SILENT,
) -> dict[str, Any] | None:
    """Train, evaluate and save a model. Resume from the run's checkpoint if there is one.

    Args:
        recipe: Recipe.
        preset: Name of the preset that the config was derived from.
        config: Config of the recipe.
        run: New or interrupted run.
        command: Command line, saved with the metrics.
        test: Whether to evaluate on the test split. If not, plots show the validation split.
        devices: Devices to train on. Default: the one that TensorFlow selects.
        callbacks: Callbacks of loggers.
        reporter: Reporter of phases, steps and epochs. Default: nothing is printed.

    Returns:
        Content of `metrics.json`, or None if another worker writes it.
    """
    model, run_callback = fit(
        recipe,
        preset,
        config,
        run,
        test=test,
        devices=devices,
        callbacks=callbacks,
        reporter=reporter,
    )
    if devices is not None and not devices.chief:
        devices.wait()
        return None
    splits, summaries = run_callback.splits, run_callback.summaries
    tokenizer = run_callback.tokenizer_report
    if run_callback.best_weights is not None and run_callback.kept_epoch < run_callback.epochs_done:
        model.set_weights(run_callback.best_weights)
    if "validation" in splits:
        recipe.calibrate(model, splits["validation"])
    report_split = next(name for name in ("test", "validation", "train") if name in splits)
    reporter.start_phase("writing plots and samples")
    report = recipe.report(model, splits, report_split, run.folder)
    plots.learning_curve(run_callback.history, config.monitor, run.folder / "learning_curve.png")
    reporter.start_phase("saving the model")
    with atomic_write(run.model_path) as path:
        model.save(path)
    reporter.start_phase("evaluating the model")
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
        **({"data_read": [summary.to_json() for summary in summaries]} if summaries else {}),
        **({"data_warnings": list(warnings)} if (warnings := run_callback.data_warnings) else {}),
        **({"tokenizer": tokenizer.to_json()} if tokenizer else {}),
        **({"initialization": initialized} if (initialized := run_callback.initialized) else {}),
        "epochs": run_callback.epochs_done,
        "kept_epoch": run_callback.kept_epoch,
        **({"stopped_early": message} if (message := run_callback.stop_message) else {}),
        "parameters": model.count_params(),
        "seconds": round(run_callback.seconds(), 1),
        "machine": machine.training_machine(),
        "versions": fingerprints.package_versions(),
        "command": command,
    }
    run.finish(metrics)
    if devices is not None:
        # The result is saved. Another worker that stops now does no harm.
        with contextlib.suppress(InputError):
            devices.wait()
    return metrics


def fit(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    make_callback: Callable[[RunCallback], keras.callbacks.Callback] | None = None,
    *,
    fraction: float = 1.0,
    test: bool = True,
    devices: Devices | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    reporter: Reporter = SILENT,
) -> tuple[keras.Model, RunCallback]:
    """Train a model, or resume from the run's checkpoint. The last checkpoint is kept.

    Args:
        recipe: Recipe.
        preset: Name of the preset that the config was derived from.
        config: Config of the recipe.
        run: New or interrupted run.
        make_callback: Function that makes a further callback, which Keras calls last.
        fraction: Fraction of the epochs after which to stop. Schedules span all epochs.
        test: Whether to keep the test split.
        devices: Devices to train on. Default: the one that TensorFlow selects.
        callbacks: Callbacks between the RunCallback, which adds validation metrics to their
            `logs`, and the one of `make_callback`.
        reporter: Reporter of phases, steps and epochs. Default: nothing is printed.

    Returns:
        The model after the last epoch, and its callback.

    Raises:
        InputError: If there are no training examples, or an interrupted run cannot be resumed.
    """
    start_time = time.perf_counter()
    if devices is not None:
        devices.check(config)
    start = initialization.load(recipe, config, run, reporter)
    reporter.start_phase("reading the data")
    splits, fingerprint, summaries, warnings = _load(recipe, config, run)
    if not test:
        splits.pop("test", None)
    batch_size = _batch_size(recipe, config, splits["train"], devices)

    def build() -> keras.Model:
        keras.utils.set_random_seed(config.seed)  # after loading, which may draw random numbers
        return start.build(recipe, config, splits["train"])

    def build_replica() -> keras.Model:
        replica = build()
        optimizers.set_schedule_steps(replica.optimizer, schedule_steps)
        return replica

    reporter.start_phase("building the model")
    model = build()
    initialized = start.initialize(recipe, config, model)
    if initialized and not run.is_started:
        reporter.report_text(f"started from {config.init_from}: {initialized['summary']}")
    reporter.start_phase("encoding the examples")
    encoded = recipe.encode(model, splits["train"])
    examples = weight_examples(recipe, config, splits["train"], encoded).without_padding()
    del encoded
    chief = devices is None or devices.chief
    if chief and not run.is_started:
        start.keep(run)
        run.start(
            recipe.name, preset, config, fingerprint | start.fingerprint, recipe.path, recipe.fold
        )
    steps_per_epoch = count_batches(examples, batch_size)
    epochs, schedule_steps = plan_epochs(config, steps_per_epoch)
    optimizers.set_schedule_steps(model.optimizer, schedule_steps)
    run_callback = RunCallback(run, recipe, config, splits, model, epochs, start_time)
    run_callback.summaries, run_callback.initialized = summaries, initialized
    if devices is not None and devices.multi_worker:
        run_callback.patience = 0  # The other workers would wait for this one.
    run_callback.data_warnings = warnings
    run_callback.tokenizer_report = recipe.tokenizer_report(model, splits["train"])
    run_callback.restore()
    last = max(1, round(fraction * epochs))
    all_callbacks = [run_callback, Progress(run_callback, reporter), *callbacks]
    all_callbacks += [make_callback(run_callback)] if make_callback is not None else []
    batches = functools.partial(
        make_batches, examples, batch_size, config.seed, run_callback.epochs_done, last
    )
    if run_callback.epochs_done < last and run_callback.stop_cause is None:
        fit_options: dict[str, Any] = {
            "steps_per_epoch": steps_per_epoch,
            "initial_epoch": run_callback.epochs_done,
            "epochs": last,
            "callbacks": all_callbacks if chief else [OtherWorkerProgress(reporter)],
            "shuffle": False,  # the batches are shuffled already
            "verbose": 0,
        }
        if devices is None:
            keras_compat.build_for_fit(model, examples.inputs, examples.targets)
            model.fit(batches(), **fit_options)
        else:
            must_match = {
                "seed": config.seed,
                "batch size": batch_size,
                "number of examples": len(examples),
                "number of weights": model.count_params(),
                "number of epochs": last,
                "number of completed epochs": run_callback.epochs_done,
            }
            devices.fit(model, build_replica, examples, batches, must_match, **fit_options)
    return model, run_callback


def _load(
    recipe: Recipe, config: Config, run: Run
) -> tuple[dict[str, RawExamples], fingerprints.Fingerprint, list[ReadSummary], Sequence[str]]:
    """Return the examples by split, their fingerprint, what was read, and warnings.

    Raises:
        InputError: If there are no training examples, or the run was started with other data.
    """
    with collect_summaries() as summaries:
        splits = dict(recipe.load_splits(config))
    fingerprint = fingerprints.compute(recipe, splits)
    if run.is_started:
        fingerprints.check(run.fingerprint, fingerprint, recipe, run.folder)
    if "train" not in splits:
        raise InputError(f"The data {config.data!r} is too small: it has no training examples.")
    warnings = recipe.report_data(config, splits, summaries).warnings if summaries else ()
    if config.patience and "validation" not in splits:
        no_effect = f"--patience {config.patience} has no effect without a validation split."
        warnings = [no_effect, *warnings]
    return splits, fingerprint, summaries, warnings


def _batch_size(recipe: Recipe, config: Config, train: RawExamples, devices: Devices | None) -> int:
    """Return the batch size after a check that the devices can share the batches."""
    batch_size = recipe.batch_size(config, train)
    if devices is not None:
        devices.check(dataclasses.replace(config, batch_size=batch_size))
    return batch_size


def plan_epochs(config: Config, steps_per_epoch: int) -> tuple[int, int]:
    """Return the number of epochs of a training, and of the steps that its schedule spans.

    If `epochs` ends the training, the schedule spans the steps of these epochs, else `steps`, which
    is not rounded.

    Args:
        config: Config of the run.
        steps_per_epoch: Number of batches of an epoch.
    """
    if config.steps is not None:
        epochs = max(1, round(config.steps / steps_per_epoch))
        if config.epochs is None or epochs <= config.epochs:
            return epochs, config.steps
    assert config.epochs is not None  # as the Config checks
    return config.epochs, config.epochs * steps_per_epoch
