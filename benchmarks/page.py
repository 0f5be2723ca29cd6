"""Result files of the benchmarks, with machine and versions, and writer of `docs/speed.md`."""

import importlib.metadata
import json
import platform
import shlex
import sys
from pathlib import Path
from typing import Any

from benchmarks.ratios import ratios, summary
from keras_seq._internal import machine

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
PACKAGES = ("keras", "onnxruntime", "tensorflow", "torch")

Row = dict[str, Any]
"""Result of one measurement: name to value."""


def write(name: str, rows: list[Row]) -> None:
    """Write the rows of one benchmark, then the page of all benchmarks."""
    command = shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    record(RESULTS / f"{name}.json", command, rows)
    PAGE.write_text(page())


def record(path: Path, command: str, rows: list[Row]) -> None:
    """Write rows as JSON, with the command, the machine and the versions of packages."""
    installed = {package.name: package.version for package in importlib.metadata.distributions()}
    content = {
        "command": command,
        "machine": machine.describe(),
        "versions": {
            "python": platform.python_version(),
            **{package: installed[package] for package in PACKAGES if package in installed},
        },
        "rows": rows,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def page() -> str:
    """Return all results in Markdown."""
    lines = [
        "# Speed of the recurrent layers",
        "",
        "Written by the benchmarks. Ratios are medians of our times over medians of the other "
        "library's times within one run; a ratio below 1 means that ours is faster. "
        "[fast_path.md](fast_path.md) describes the implementation and the experiments.",
    ]
    recurrent = [json.loads(path.read_text()) for path in sorted(RESULTS.glob("recurrent_*.json"))]
    lines += ["", *_recurrent(recurrent)]
    for name, section in {
        "torch_backend": _torch_backend,
        "accuracy": _accuracy,
        "lengths": _lengths,
        "fit": _fit,
        "first_epoch": _first_epoch,
        "first_batch": _first_batch,
        "calls": _calls,
        "tagging": _tagging,
        "generation": _generation,
        "decoding": _decoding,
        "copy_reverse": _copy_reverse,
        "tracing": _tracing,
        "exports": _exports,
        "serving": _serving,
        "serving_before": _serving_before,
        "bulk_predict": _bulk_predict,
    }.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            content = json.loads(path.read_text())
            lines += ["", *section(content["rows"]), "", _source(content)]
    return "\n".join(lines) + "\n"


def _source(content: dict[str, Any]) -> str:
    """Return the command, the machine and the versions of a result file."""
    versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items())
    commit = f" at commit {content['commit']}" if "commit" in content else ""
    processor, cores = content["machine"]["processor"], content["machine"]["cores"]
    return f"`{content['command']}`{commit} on {cores} cores of {processor}; {versions}."


def _recurrent(contents: list[dict[str, Any]]) -> list[str]:
    """Return the medians on all processors, then the tables of each.

    Args:
        contents: Result files of `benchmarks.recurrent`, one per processor.
    """
    lines = [
        "## Layers",
        "",
        "- keras: the faster of Keras's layer with and without XLA; for the peephole cells, our "
        "cell in `keras.layers.RNN`",
        "- both jit: our layer and Keras's, each in a function with `jit_compile=True`",
        "- torch, onnxruntime: their layers; for the peephole cells, torch's plain LSTM",
        "- products: only the matrix products of the layer, in torch",
        "- ours float32: our layer in float32, compared with bfloat16",
        "- before: our layer at commit 0a37917, without higher-order derivatives",
        "- spread: interquartile range of our times, relative to their median",
        "",
        "Medians over the five shapes on each processor: ours / keras, then ours / torch, or ours "
        "/ ours float32.",
        "",
    ]
    names = [machine.title(content["machine"]) for content in contents]
    medians = [
        {(line["mode"], line["cell"]): line for line in summary(content["rows"])}
        for content in contents
    ]
    lines += _head(["mode", "cell", *names])
    for key in dict.fromkeys(key for of_processor in medians for key in of_processor):
        row = [*key]
        for of_processor in medians:
            line = of_processor.get(key, {})
            columns = [c for c in ("keras", "torch", "ours float32") if c in line]
            row.append(" / ".join(_ratio(line, c) for c in columns))
        lines.append(_row(row))
    for name, content in zip(names, contents):
        lines += ["", f"### {name}", "", _source(content), *_tables_by_mode(content["rows"])]
    return lines


def _tables_by_mode(rows: list[Row]) -> list[str]:
    """Return one table per mode, with one row per cell and shape, and the medians."""
    lines = []
    for mode in dict.fromkeys(row["mode"] for row in rows):
        columns = list(dict.fromkeys(c for row in rows if row["mode"] == mode for c in ratios(row)))
        head = ["cell", "batch, timesteps, features, units", "ours, ms", "spread"]
        lines += ["", f"#### {mode}", "", *_head(head + [f"ours / {c}" for c in columns])]
        for row in rows:
            if row["mode"] == mode:
                row_ratios = ratios(row)
                time, spread = row["milliseconds"]["ours"], row["spread"]["ours"]
                shape = ", ".join(map(str, row["shape"]))
                cells = [row["cell"], shape, f"{time:.1f}", f"{spread:.0%}"]
                lines.append(_row(cells + [_ratio(row_ratios, c) for c in columns]))
        for line in summary(rows):
            if line["mode"] == mode:
                cells = [line["cell"], "**median**", "", ""]
                lines.append(_row(cells + [f"**{_ratio(line, c)}**" for c in columns]))
    return lines


def _torch_backend(rows: list[Row]) -> list[str]:
    lines = [
        "## Layers on the torch backend",
        "",
        "Our layers with `KERAS_BACKEND=torch`, compared with `torch.nn` in one process. Each cell "
        "of the table is our time divided by torch's. With a mask, rows have random lengths, which "
        "torch takes as packed sequences. For the peephole cells, torch runs its plain LSTM.",
    ]
    for is_masked, title in ((False, "without a mask"), (True, "with a mask")):
        modes = list(dict.fromkeys(row["mode"] for row in rows))
        of_kind = [row for row in rows if row["is_masked"] == is_masked]
        shapes = list(dict.fromkeys(tuple(row["shape"]) for row in of_kind))
        head = [f"{title}: cell", "mode", *(", ".join(map(str, shape)) for shape in shapes)]
        lines += ["", *_head([*head, "median"])]
        for mode in modes:
            for line in summary([row for row in of_kind if row["mode"] == mode]):
                by_shape = {
                    tuple(row["shape"]): ratios(row)
                    for row in of_kind
                    if (row["mode"], row["cell"]) == (mode, line["cell"])
                }
                cells = [_ratio(by_shape.get(shape, {}), "torch") for shape in shapes]
                lines.append(_row([line["cell"], mode, *cells, f"**{_ratio(line, 'torch')}**"]))
    return lines


def _accuracy(rows: list[Row]) -> list[str]:
    lines = [
        "## Accuracy of bfloat16",
        "",
        "Outputs and gradients of the layers in mixed_bfloat16 on (32, 100, 128) with 128 units: "
        "norm of the difference from float32, relative to the norm in float32.",
        "",
        *_head(["cell", "path", "outputs", "gradients"]),
    ]
    for row in rows:
        for path in ("fast_path", "general_loop"):
            errors = [f"{row[path][part]:.2%}" for part in ("outputs", "gradients")]
            lines.append(_row([row["cell"], path.replace("_", " "), *errors]))
    return lines


def _lengths(rows: list[Row]) -> list[str]:
    contestants = [contestant for contestant in rows[0] if contestant != "timesteps"]
    lines = [
        "## Long sequences",
        "",
        "Train step of an LSTM on (32, time steps, 128) with 128 units: milliseconds / increase of "
        "peak memory in megabytes / seconds of the first call. By default all outputs and the "
        'gradient of the inputs are computed; with "last output", only the last output and the '
        "gradients of the weights.",
        "",
        *_head(["time steps", *contestants]),
    ]
    for row in rows:
        cells = [
            f"{row[contestant]['milliseconds']:.0f} / {row[contestant]['megabytes']:.0f} / "
            f"{row[contestant]['first_call_seconds']:.1f}"
            for contestant in contestants
        ]
        lines.append(_row([str(row["timesteps"]), *cells]))
    return lines


def _fit(rows: list[Row]) -> list[str]:
    epochs = rows[0].get("epochs", 1)
    variants = [name for name in rows[0]["seconds"] if name not in ("ours", "keras")]
    lines = [
        "## model.fit",
        "",
        f"Seconds per epoch of a call with {epochs} epoch{'s' * (epochs > 1)}, after the first "
        "call, with Keras's default settings.",
        "",
        *_head(["model", "ours", "spread", "keras", "spread", "keras / ours", *variants]),
    ]
    for row in rows:
        time, spread = row["seconds"], row["spread"]
        cells = [row["model"]]
        for contestant in ("ours", "keras"):
            cells += [f"{time[contestant]:.2f}", f"{spread[contestant]:.0%}"]
        cells.append(f"{time['keras'] / time['ours']:.1f}")
        lines.append(_row(cells + [f"{time[name]:.2f}" for name in variants]))
    return lines


def _first_epoch(rows: list[Row]) -> list[str]:
    ours, keras = rows
    epochs = [f"epoch {number + 1}" for number in range(len(ours["seconds"]))]
    lines = [
        "## First epoch with variable lengths",
        "",
        "`fit` on 12 batches (32, timesteps, 64) of random lengths from 1 to 29, with an LSTM and "
        "a bidirectional LSTM of 64 units each: seconds, and CPU seconds, which depend less on "
        "other processes.",
        "",
        *_head(["layers", *epochs, *(f"{epoch}, CPU" for epoch in epochs), "megabytes"]),
    ]
    keys = "seconds", "cpu_seconds"
    for row in rows:
        times = [f"{seconds:.2f}" for key in keys for seconds in row[key]]
        lines.append(_row([row["library"], *times, f"{row['megabytes']:.0f}"]))
    ratios = [f"{a / b:.2f}" for key in keys for a, b in zip(ours[key], keras[key])]
    memory = f"{ours['megabytes'] / keras['megabytes']:.2f}"
    lines.append(_row(["**ours / keras**", *(f"**{r}**" for r in [*ratios, memory])]))
    return lines


def _first_batch(rows: list[Row]) -> list[str]:
    names = [name for name in ("now", "before") if name in rows[0]]
    lines = [
        "## Start and memory of the recipes",
        "",
        "Seconds of CPU time from the start of Python to the end of the first train step, and wall "
        "seconds, which depend more on other processes. Peak megabytes after 40 train steps and "
        "an evaluation on the validation split; a whole training may need more, if further "
        "lengths of sequences follow. Default presets with built-in data in the cache.",
        "",
        *_head(
            ["recipe"]
            + [f"{kind}{'' if name == 'now' else ', before'}" for name in names for kind in _KINDS]
        ),
    ]
    for row in rows:
        cells = [row["recipe"]]
        for name in names:
            cells += [f"{sum(row[name][key].values()):.1f}" for key in ("cpu_seconds", "seconds")]
            cells.append(f"{max(row[name]['megabytes'].values()):,}")
        lines.append(_row(cells))
    phases = list(rows[0]["now"]["cpu_seconds"])
    lines += ["", "CPU seconds by phase:", "", *_head(["recipe", *phases])]
    for row in rows:
        lines.append(
            _row([row["recipe"], *(f"{row['now']['cpu_seconds'][p]:.1f}" for p in phases)])
        )
    return lines


_KINDS = ("CPU s", "s", "peak MB")
"""Columns of the table of `first_batch`, for each version of the code."""


def _calls(rows: list[Row]) -> list[str]:
    names = [name for name in ("now", "before") if name in rows[0]]
    heads = ["ms", "first call, s", "five further lengths, s"]
    lines = [
        "## One example",
        "",
        "Calls of the models with one example of 9 to 57 tokens, frames, or fortieths of a second, "
        "with their default layers and random weights: milliseconds of a warm call; seconds of the "
        "first call, and of the first calls with five other lengths. `generate` and `translate` "
        "(greedy) add 50 tokens. predict: Keras's `model.predict` of the encoded example.",
        "",
        *_head(
            ["model", "call", "predict, ms"]
            + [f"{head}{'' if name == 'now' else ', before'}" for name in names for head in heads]
        ),
    ]
    for row in rows:
        cells = [row["model"], row["method"], f"{row['now']['predict_milliseconds']:.0f}"]
        for name in names:
            cells.append(f"{row[name]['milliseconds']:.1f}")
            for key in ("first_call_seconds", "next_first_calls_seconds"):
                cells.append(f"{row[name][key]:.1f}")
        lines.append(_row(cells))
    return lines


def _tagging(rows: list[Row]) -> list[str]:
    lines = [
        "## Tagging",
        "",
        "Milliseconds per train step of an LSTM followed by a CRF or a softmax, accuracy metric "
        "included.",
        "",
        *_head(["batch, timesteps, units, tags", "CRF", "spread", "softmax", "spread", "ratio"]),
    ]
    for row in rows:
        if row["task"] == "train step":
            time, spread = row["milliseconds"], row["spread"]
            cells = [", ".join(map(str, row["shape"]))]
            for head in ("crf", "softmax"):
                cells += [f"{time[head]:.1f}", f"{spread[head]:.0%}"]
            lines.append(_row([*cells, f"{time['crf'] / time['softmax']:.2f}"]))
    lines += ["", *_head(["run", "batch size", "characters per second", "spread"])]
    for row in rows:
        if row["task"] == "tag":
            rate, spread = row["characters_per_second"], row["spread"]
            lines.append(
                _row([row["run"], str(row["batch_size"]), f"{rate:,.0f}", f"{spread:.0%}"])
            )
    return lines


def _generation(rows: list[Row]) -> list[str]:
    lines = [
        "## Generation",
        "",
        "Time per token of an LSTM(256) with a vocabulary of 100 tokens.",
        "",
        *_head(["sequences", "tokens per sequence", "milliseconds per token", "spread"]),
    ]
    for row in rows:
        cells = [str(row["num_sequences"]), f"{row['num_tokens']:,}", f"{row['ms_per_token']:.2f}"]
        lines.append(_row([*cells, f"{row['spread']:.0%}"]))
    return lines


def _decoding(rows: list[Row]) -> list[str]:
    lines = [
        "## Translation",
        "",
        f"Words per second converted to phonemes ({rows[0]['model']}). A wider beam is searched "
        "only for words whose greedy result is not provably optimal.",
        "",
        *_head(
            ["batch size", "beam width", "words per second", "spread", "time relative to greedy"]
        ),
    ]
    for row in rows:
        cells = [str(row["batch_size"]), str(row["beam_width"]), f"{row['words_per_second']:,.0f}"]
        lines.append(
            _row([*cells, f"{row['spread']:.0%}", f"{row['time_relative_to_greedy']:.2f}"])
        )
    return lines


def _copy_reverse(rows: list[Row]) -> list[str]:
    lengths = list(rows[0]["exact_match"])
    lines = [
        "## Attention",
        "",
        "Copying or reversing random letters: fraction of sequences without an error, by length. "
        "Plots: [by length](../benchmarks/results/copy_reverse.png), "
        "[attention weights](../benchmarks/results/copy_reverse_attention.png).",
        "",
        *_head(["model", "steps", *map(str, lengths)]),
    ]
    for row in rows:
        cells = [row["model"], f"{row['steps']:,}"]
        lines.append(_row(cells + [f"{row['exact_match'][length]:.1%}" for length in lengths]))
    return lines


def _tracing(rows: list[Row]) -> list[str]:
    lines = [
        "## Tracing",
        "",
        "Trace of two bidirectional LSTM layers with 128 units per direction on sentences of 48 "
        "characters. Relative peak: increase of peak memory, after the model and the trace of one "
        "sentence have run, over the size of the trace.",
        "",
        *_head(["sentences", "megabytes", "relative peak", "model, s", "trace, s", "spread"]),
    ]
    for row in rows:
        time, spread = row["seconds"], row["spread"]["trace"]
        cells = [str(row["num_sentences"]), f"{row['megabytes']:.0f}"]
        cells += [f"{row['relative_peak']:.2f}", f"{time['model']:.2f}"]
        lines.append(_row([*cells, f"{time['trace']:.2f}", f"{spread:.0%}"]))
    return lines


def _exports(rows: list[Row]) -> list[str]:
    formats = list(dict.fromkeys(row["format"] for row in rows))
    lines = [
        "## Exported models",
        "",
        "Milliseconds for one test example, by endpoint if a format has several, and the largest "
        "difference from the model. SavedModels include the tokenization. The runs were trained "
        "for a few epochs only.",
        "",
        *_head(["run", *formats, *(f"difference, {name}" for name in formats[1:])]),
    ]
    for run in dict.fromkeys(row["run"] for row in rows):
        of_run = [row for row in rows if row["run"] == run]
        cells, differences = [run], []
        for name in formats:
            endpoints = [row for row in of_run if row["format"] == name]
            has_several = len(endpoints) > 1
            cells.append(
                ", ".join(
                    (f"{row['endpoint']} " if has_several else "") + f"{row['milliseconds']:.2f}"
                    for row in endpoints
                )
            )
            if name in formats[1:]:
                differences.append(f"{endpoints[0]['max_abs_error']:.1e}" if endpoints else "")
        lines.append(_row([*cells, *differences]))
    return lines


def _serving(rows: list[Row]) -> list[str]:
    names, times = ("run", "clients", "server"), ("p50_ms", "p99_ms")
    counts = ("errors", "requests")
    lengths = {row["run"]: row["characters"] for row in rows}
    lines = [
        "## Serving",
        "",
        "Throughput of `keras-seq serve` on the same cores as the `wrk` clients, one test sentence "
        "per request, batched and with `--max-batch-size 1`. 5th, 50th and 95th percentiles of "
        "lengths: "
        + "; ".join(f"{run} {', '.join(map(str, c))} characters" for run, c in lengths.items())
        + ".",
        "",
        *_head(
            [*names, "requests per second", "spread", "speed-up", "p50, ms", "p99, ms", *counts]
        ),
    ]
    rates = {
        (row["run"], row["clients"], row["server"]): row["requests_per_second"] for row in rows
    }
    for row in rows:
        rate = row["requests_per_second"]
        over = rate / rates[row["run"], row["clients"], "one by one"]
        cells = [*(str(row[n]) for n in names), f"{rate:,.0f}", f"{row['spread']:.0%}"]
        cells += [f"{over:.2f}", *(f"{row[n]:.1f}" for n in times)]
        cells += [f"{row[n]:,}" for n in counts]
        lines.append(_row(cells))
    return lines


def _serving_before(rows: list[Row]) -> list[str]:
    lines = [
        "### Cost of the connection limits",
        "",
        "The same models served by this code and by commit 0a37917, before connections were "
        "limited. A ratio above 1 means that this code is faster: in requests per second, and in "
        "requests per CPU second of the server, which depends less on other processes.",
        "",
        *_head(["run", "clients", "requests per second", "before", "ratio", "CPU ratio"]),
    ]
    by_server = {(row["run"], row["clients"], row["server"]): row for row in rows}
    rate, cpu = "requests_per_second", "cpu_ms_per_request"
    for (run, clients, server), now in by_server.items():
        if server == "now":
            before = by_server[run, clients, "before"]
            cells = [run, str(clients), f"{now[rate]:,.0f}", f"{before[rate]:,.0f}"]
            cells += [f"{now[rate] / before[rate]:.2f}", f"{before[cpu] / now[cpu]:.2f}"]
            lines.append(_row(cells))
    return lines


def _bulk_predict(rows: list[Row]) -> list[str]:
    lines = [
        "## Bulk predictions",
        "",
        "`keras-seq predict RUN --input FILE --output FILE.jsonl`, with start-up (command) and "
        "without it (beyond start-up: less the time for one sentence); one call of the model's "
        "`classify` or `tag` with all sentences (library); and the network alone on encoded "
        "sentences. Medians of sentences per second, and peak megabytes of the command for all "
        "sentences and for one. Commands that `kill -9` ended in the middle left no file and no "
        "part of a row.",
        "",
        *_head(
            ["run", "sentences", "command", "beyond start-up", "library", "network", "megabytes"]
        ),
    ]
    for row in rows:
        number, seconds, memory = row["sentences"], row["seconds"], row["peak_megabytes"]
        start = "command, one sentence"
        times = [seconds["command"], seconds["command"] - seconds[start]]
        times += [seconds["library"], seconds["network"]]
        rates = [f"{number / max(time, 0.01):,.0f}" for time in times]
        megabytes = f"{memory['command']:,} / {memory[start]:,}"
        lines.append(_row([row["run"], f"{number:,}", *rates, megabytes]))
    return lines


def _head(names: list[str]) -> list[str]:
    return [_row(names), _row(["---"] * len(names))]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _ratio(row: Row, column: str) -> str:
    return f"{row[column]:.2f}" if column in row else "-"
