"""`keras-seq data`."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from keras_seq._internal.unicode import show_controls
from keras_seq.cli._common import JsonFlag, app, as_cell, console, make_table
from keras_seq.cli._two_stages import (
    RUN_GROUP,
    Words,
    config_parameters,
    keyword,
    parse_known,
    print_help,
    run_command,
)
from keras_seq.data.report import DataReport
from keras_seq.data.summaries import collect_summaries
from keras_seq.train import registry
from keras_seq.train.outputs import make_reporter

MAX_LABELS = 20
"""Number of labels that are shown."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class FirstStage:
    """Option on which the defaults of all other options depend."""

    preset: str = "default"


@app.command(name="data", help_flags=[], usage="Usage: keras-seq data RECIPE [PATH] [OPTIONS]")
def show_data(*words: Words) -> None:
    """Show what a recipe reads from a file or folder, and warn of what may be wrong with it.

    RECIPE is a name that `keras-seq ls` lists, or a path that contains a separator. PATH is a value
    of `--data` of `keras-seq train`. `keras-seq data RECIPE --help` lists the options of the
    recipe.
    """
    if print_help("data", words):
        return
    recipe_ref, *options = words
    recipe = registry.find(recipe_ref)
    start = parse_known(FirstStage, options)
    defaults = recipe.preset(start.preset)

    def report_on(
        path: str = defaults.data,
        /,
        *,
        preset: str = start.preset,
        json_output: JsonFlag = False,
        **fields: Any,
    ) -> None:
        """Show what a recipe reads from a file or folder, and warn of what may be wrong with it.

        Args:
            path: Source of the examples: builtin, tfds:NAME[/CONFIG], hf:NAME[/CONFIG], or the
                path of a file or folder.
            preset: Preset that sets the defaults of the other options.
            json_output: Print a JSON object.
            **fields: Fields of the recipe's Config.
        """
        config = dataclasses.replace(recipe.preset(preset), data=path, **fields)
        config.check_files()
        with make_reporter("progress", use_stderr=True) as reporter, collect_summaries() as read:
            reporter.start_phase("importing Keras")
            code = recipe.import_recipe()
            reporter.start_phase("reading the data")
            try:
                splits = code.load_splits(config)
            finally:  # What was read may explain an error.
                if not json_output:
                    for summary in read:
                        _print_line("read", str(summary))
        report = code.report_data(config, splits, read)
        if json_output:
            print(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
        else:
            _print_report(report)

    parameters = [
        *(parameter for parameter in config_parameters(defaults) if parameter.name != "data"),
        keyword("preset", start.preset, Literal[tuple(recipe.presets)]),
    ]
    run_command(f"data {recipe_ref}", report_on, options, parameters, group=RUN_GROUP)


def _print_report(report: DataReport) -> None:
    total = sum(report.num_examples.values())
    counts = [
        f"{split} {number:,} ({number / total:.0%})"
        for split, number in report.num_examples.items()
    ]
    _print_line("examples", ", ".join(counts) if total else "none")
    if report.lengths is not None:
        _print_line("lengths", str(report.lengths))
    for inputs, output in report.examples:
        _print_line("example", repr(inputs) + (f" -> {output!r}" if output else ""))
    if report.labels:
        _print_labels(report.labels, list(report.num_examples))
    for warning in report.warnings:
        _print_line("warning", warning)
    for note in report.notes:
        console.print(show_controls(note), markup=False)


def _print_line(title: str, text: str) -> None:
    console.print(f"[bold]{title}[/] ", end="")
    console.print(show_controls(text), markup=False)


def _print_labels(labels: Mapping[str, Mapping[str, int]], splits: list[str]) -> None:
    """Print a table of the numbers of labels, one row per label."""
    table = make_table("label", *splits)
    for label in list(labels)[:MAX_LABELS]:
        table.add_row(
            as_cell(repr(label)), *(f"{labels[label].get(split, 0):,}" for split in splits)
        )
    console.print(table)
    if len(labels) > MAX_LABELS:
        console.print(f"and {len(labels) - MAX_LABELS:,} other labels")
