"""Cross-validation: a run per fold, and the mean of each metric with its confidence interval."""

import dataclasses
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_seq._internal import machine
from keras_seq._internal.errors import InputError
from keras_seq._internal.optional_packages import import_scipy
from keras_seq._internal.ranges import find_ranges
from keras_seq.train import distribution, fingerprints, registry, runs, tracking
from keras_seq.train.api import explain_interruption, resolve_config
from keras_seq.train.config import Config
from keras_seq.train.folds import Fold, FoldCount
from keras_seq.train.metrics import Metrics
from keras_seq.train.outputs import Output, make_reporter
from keras_seq.train.recipe import Recipe
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.reporter import Reporter
from keras_seq.train.runs import Run
from keras_seq.train.tracking import Logger
from keras_seq.train.trained_run import TrainedRun

CONFIDENCE = 0.95
"""Probability with which a confidence interval contains the expected metric."""


@dataclasses.dataclass(frozen=True)
class CrossValidation:
    """Finished cross-validation.

    >>> from pathlib import Path
    >>> from keras_seq.train import CrossValidation, registry, runs
    >>> run = runs.Run(Path("runs/ner/default-5-folds"))
    >>> CrossValidation(run, registry.find("ner"), 5).runs[0].folder.name
    'fold-1'

    Args:
        run: Folder of the cross-validation.
        info: Recipe, as the caller trusts its code.
        count: Number of folds.
    """

    run: Run
    info: RecipeInfo
    count: int

    @property
    def folder(self) -> Path:
        """Folder of the cross-validation."""
        return self.run.folder

    @property
    def runs(self) -> list[TrainedRun]:
        """Runs of the folds."""
        return [
            TrainedRun(
                self.run.get_fold(number),
                dataclasses.replace(self.info, fold=Fold(number, self.count)),
            )
            for number in range(1, self.count + 1)
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of `metrics.json`.

        "summary" has the mean of each metric, as `summarize` returns it. "by_fold" has the metrics
        of each fold.
        """
        return self.run.metrics


def cross_validate(
    recipe: str,
    folds: FoldCount = 5,
    *,
    preset: str = "default",
    run: str | None = None,
    runs_folder: str | os.PathLike[str] = "runs",
    resume: bool = False,
    loggers: Sequence[Logger] = (),
    command: str = "",
    output: Output = "progress",
    **fields: Any,
) -> CrossValidation:
    """Train and measure a model per fold, like the command `keras-seq train --folds`.

    The folds divide the training and validation splits of the data, by a hash of the input, and
    with equal shares of each label. The test split is not used. In each fold, a model is measured
    once, on examples that neither trained it nor chose its epoch.

    >>> from keras_seq.train import cross_validate
    >>> cross_validate("ner", folds=2)
    Traceback (most recent call last):
        ...
    keras_seq._internal.errors.InputError: --folds must be an integer of at least 3, got 2.

    Args:
        recipe: Name of a recipe, or the path of its folder, such as `./my_digits`.
        folds: Number of folds, at least 3.
        preset: Preset that sets the defaults of the fields.
        run: Name of the cross-validation, saved in RUNS_FOLDER/RECIPE/RUN, with the run of each
            fold in `fold-1`, `fold-2` and so on. Default: PRESET-FOLDS-folds.
        runs_folder: Folder of all runs.
        resume: Whether to continue after an interruption. Finished folds are not trained again.
        loggers: As for `train_run`. Each fold is logged as a run.
        command: Command line, saved with the metrics.
        output: As for `train_run`.
        **fields: Fields of the recipe's Config.

    Returns:
        The finished cross-validation.

    Raises:
        InputError: If an argument or the data is not valid, the folder holds another run, or there
            are too few examples for the folds.
    """
    find_ranges(cross_validate)["folds"].check("--folds", folds)
    import_scipy("stats", "Cross-validation")
    info = registry.find(recipe)
    name = runs.default_name(preset, folds) if run is None else run
    parent = runs.get_run(Path(runs_folder), info, name)
    preset, config = resolve_config(info, preset, fields, parent if resume else None, folds)
    _check_initialization(info, config, folds)
    tracking.check_loggers(loggers)
    with make_reporter(output) as reporter, parent.lock(), explain_interruption(parent):
        if resume:
            parent.read_unfinished(info, folds)  # again: another process may have finished it
        else:
            parent.ensure_new()
        distribution.start_backend(None, reporter)
        code = info.import_recipe()
        reporter.start_phase("reading the data")
        _start(parent, code, preset, config, folds)
        reporter.end_phase()
        for number in range(1, folds + 1):
            fold_run = parent.get_fold(number)
            if not fold_run.is_finished:
                fold_code = dataclasses.replace(code, fold=Fold(number, folds))
                _train_fold(fold_code, preset, config, fold_run, loggers, command, reporter)
        result = CrossValidation(parent, info, folds)
        parent.write_json("metrics.json", _collect(result, preset, config, command))
        reporter.report_result(parent.folder, result.metrics)
    return result


def _check_initialization(info: RecipeInfo, config: Config, folds: int) -> None:
    """Check that the weights to start from were not trained on the examples that are measured.

    Raises:
        InputError: If `config.init_from` is a run of this recipe on the same data.
    """
    if config.init_from is None:
        return
    source = Run(Path(config.init_from))
    _, fields = source.read_settings()
    if (source.recipe_name, fields.get("data")) == (info.name, config.data):
        raise InputError(
            f"--init-from {source.folder} was trained on the same data, which --folds {folds} "
            "measures; leave it out, or start from a run on other data."
        )


def _start(parent: Run, code: Recipe, preset: str, config: Config, folds: int) -> None:
    """Check the data, and create the folder of a cross-validation unless it exists.

    Raises:
        InputError: If there are too few examples, or code or data have changed since the start.
    """
    # Only the number of folds matters for the check of the examples.
    splits = dataclasses.replace(code, fold=Fold(1, folds)).load_splits(config)
    fingerprint = fingerprints.compute(code, splits)
    if parent.is_started:
        fingerprints.check(parent.fingerprint, fingerprint, code, parent.folder)
    else:
        parent.start(code.name, preset, config, fingerprint, code.path, folds=folds)


def _train_fold(
    recipe: Recipe,
    preset: str,
    config: Config,
    run: Run,
    loggers: Sequence[Logger],
    command: str,
    reporter: Reporter,
) -> None:
    """Train the model of the recipe's fold and save its run."""
    import keras

    from keras_seq.train import loop

    assert recipe.fold is not None
    reporter.report_text(f"fold {recipe.fold.number} of {recipe.fold.count}")
    keras.utils.clear_session()
    with run.lock(), tracking.start_loggers(loggers, run, config) as callbacks:
        loop.train(recipe, preset, config, run, command, callbacks=callbacks, reporter=reporter)


def _collect(result: CrossValidation, preset: str, config: Config, command: str) -> dict[str, Any]:
    """Return the content of `metrics.json`."""
    folds = [run.metrics for run in result.runs]
    by_fold = [metrics["test"] for metrics in folds]
    return {
        "recipe": result.info.name,
        "preset": preset,
        "seed": config.seed,
        "folds": result.count,
        "summary": summarize(by_fold),
        "by_fold": by_fold,
        "parameters": folds[0]["parameters"],
        "seconds": round(sum(metrics["seconds"] for metrics in folds), 1),
        "machine": machine.training_machine(),
        "versions": fingerprints.package_versions(),
        "command": command,
    }


def summarize(by_fold: Sequence[Metrics]) -> dict[str, Any]:
    """Return mean, standard deviation and confidence interval of each metric over the folds.

    The 95% interval is that of Student's t distribution. It is approximate, since the models of two
    folds share training examples (Bengio & Grandvalet 2004).

    >>> summarize([{"f1": 0.5}, {"f1": 0.75}, {"f1": 1.0}])["f1"]["mean"]
    0.75

    Args:
        by_fold: Metrics of each fold. A label that some folds lack counts for the other folds.

    Returns:
        Nested like the metrics. Each number is replaced by a dict with the keys "mean",
        "standard_deviation" and "interval", which has "low" and "high". A number that only one fold
        has is replaced by its mean alone.
    """
    summary = {}
    for name in dict.fromkeys(name for metrics in by_fold for name in metrics):
        values = [metrics[name] for metrics in by_fold if name in metrics]
        is_nested = isinstance(values[0], Mapping)
        summary[name] = summarize(values) if is_nested else _summarize_numbers(values)
    return summary


def _summarize_numbers(values: Sequence[float]) -> dict[str, Any]:
    mean = statistics.fmean(values)
    if len(values) == 1:
        return {"mean": mean}
    deviation = statistics.stdev(values)
    quantile = float(
        import_scipy("stats", "Cross-validation").t.ppf((1 + CONFIDENCE) / 2, len(values) - 1)
    )
    half_width = quantile * deviation / math.sqrt(len(values))
    return {
        "mean": mean,
        "standard_deviation": deviation,
        "interval": {"low": mean - half_width, "high": mean + half_width},
    }
