"""The results as files: JSON with machine and versions, and all of them as `docs/speed.md`."""

import importlib.metadata
import json
import os
import platform
import shlex
import sys
from pathlib import Path

from benchmarks.ratios import ratios, summary

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).parent.parent / "docs" / "speed.md"
PACKAGES = ("keras", "onnxruntime", "tensorflow", "torch")


def write(name, rows):
    """Writes the rows of one benchmark, then the page of all."""
    command = shlex.join(["python", "-m", f"benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    record(RESULTS / f"{name}.json", command, rows)
    PAGE.write_text(page())


def record(path, command, rows):
    """Writes the rows, what made them, machine and versions."""
    installed = {found.name: found.version for found in importlib.metadata.distributions()}
    content = {
        "command": command,
        "machine": {"processor": _processor(), "cores": os.cpu_count()},
        "versions": {
            "python": platform.python_version(),
            **{package: installed[package] for package in PACKAGES if package in installed},
        },
        "rows": rows,
    }
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content, indent=1) + "\n")


def page():
    """All results in Markdown."""
    lines = [
        "# Speed of the recurrent layers",
        "",
        "Written by the benchmarks. Ratios of medians, ours over theirs, within one run: less than "
        "1 means that ours is faster. How the layers reach this, and what was tried in vain, is in "
        "[fast_path.md](fast_path.md).",
    ]
    for name, section in {
        "recurrent": _recurrent,
        "accuracy": _accuracy,
        "lengths": _lengths,
        "fit": _fit,
        "first_epoch": _first_epoch,
        "tagging": _tagging,
        "generation": _generation,
        "decoding": _decoding,
        "copy_reverse": _copy_reverse,
        "tracing": _tracing,
        "exports": _exports,
        "serving": _serving,
        "serving_before": _serving_before,
    }.items():
        path = RESULTS / f"{name}.json"
        if path.exists():
            content = json.loads(path.read_text())
            machine = content["machine"]
            versions = ", ".join(f"{k} {v}" for k, v in content["versions"].items())
            lines += ["", *section(content["rows"]), ""]
            lines.append(
                f"`{content['command']}` on {machine['cores']} cores of {machine['processor']}; "
                f"{versions}."
            )
    return "\n".join(lines) + "\n"


def _recurrent(rows):
    lines = [
        "## Layers",
        "",
        "keras: the better of Keras's layers without and with XLA (for the peephole cells, our "
        "cell in `keras.layers.RNN`); both jit: ours and Keras's, each inside a function that the "
        "user compiles by XLA. torch, onnxruntime: their layers (torch's plain LSTM for the "
        "peephole cells). products: the matrix products of the layer alone, in torch. ours "
        "float32: our layer in float32 next to bfloat16. before: our layer at commit 0a37917, "
        "whose hand-derived passes could not be differentiated again. Spread: the middle half of "
        "the turns of ours, relative to their median.",
    ]
    for mode in dict.fromkeys(row["mode"] for row in rows):
        columns = list(dict.fromkeys(c for row in rows if row["mode"] == mode for c in ratios(row)))
        head = ["cell", "batch, timesteps, features, units", "ours, ms", "spread"]
        lines += ["", f"### {mode}", "", *_head(head + [f"ours / {c}" for c in columns])]
        for row in rows:
            if row["mode"] == mode:
                found = ratios(row)
                time, spread = row["milliseconds"]["ours"], row["spread"]["ours"]
                shape = ", ".join(map(str, row["shape"]))
                cells = [row["cell"], shape, f"{time:.1f}", f"{spread:.0%}"]
                lines.append(_row(cells + [_ratio(found, c) for c in columns]))
        for line in summary(rows):
            if line["mode"] == mode:
                cells = [line["cell"], "**median**", "", ""]
                lines.append(_row(cells + [f"**{_ratio(line, c)}**" for c in columns]))
    return lines


def _accuracy(rows):
    lines = [
        "## Accuracy of bfloat16",
        "",
        "Outputs and gradients of the layers over (32, 100, 128) with 128 units in mixed_bfloat16: "
        "norm of the difference from float32, relative to the norm in float32.",
        "",
        *_head(["cell", "path", "outputs", "gradients"]),
    ]
    for row in rows:
        for path in ("fast path", "general loop"):
            errors = [f"{row[path][what]:.2%}" for what in ("outputs", "gradients")]
            lines.append(_row([row["cell"], path, *errors]))
    return lines


def _lengths(rows):
    contestants = [how for how in rows[0] if how != "timesteps"]
    lines = [
        "## Long sequences",
        "",
        "Train step of an LSTM over (32, time steps, 128) with 128 units: milliseconds / megabytes "
        "at the peak beyond what the process held before / seconds of the first call. All outputs "
        "and the gradient of the inputs are asked for, or the last output and the gradients of the "
        "weights alone.",
        "",
        *_head(["time steps", *contestants]),
    ]
    for row in rows:
        cells = [
            f"{row[how]['milliseconds']:.0f} / {row[how]['megabytes']:.0f} / "
            f"{row[how]['first call, seconds']:.1f}"
            for how in contestants
        ]
        lines.append(_row([str(row["timesteps"]), *cells]))
    return lines


def _fit(rows):
    lines = [
        "## model.fit",
        "",
        "Seconds an epoch after the first, Keras's defaults on both sides.",
        "",
        *_head(["model", "ours", "spread", "keras", "spread", "keras / ours"]),
    ]
    for row in rows:
        time, spread = row["seconds"], row["spread"]
        cells = [row["model"]]
        for how in ("ours", "keras"):
            cells += [f"{time[how]:.2f}", f"{spread[how]:.0%}"]
        lines.append(_row([*cells, f"{time['keras'] / time['ours']:.1f}"]))
    return lines


def _first_epoch(rows):
    ours, keras = rows
    epochs = [f"epoch {number + 1}" for number in range(len(ours["seconds"]))]
    lines = [
        "## The first epoch over many lengths",
        "",
        "`fit` over 12 batches (32, timesteps, 64) of random lengths from 1 to 29, through an LSTM "
        "and both directions of another, 64 units each: seconds, or, where said, seconds of the "
        "processor, which other processes disturb less.",
        "",
        *_head(["layers", *epochs, *(f"{epoch}, processor" for epoch in epochs), "megabytes"]),
    ]
    keys = "seconds", "processor, seconds"
    for row in rows:
        times = [f"{seconds:.2f}" for key in keys for seconds in row[key]]
        lines.append(_row([row["layers"], *times, f"{row['megabytes']:.0f}"]))
    ratios = [f"{a / b:.2f}" for key in keys for a, b in zip(ours[key], keras[key])]
    memory = f"{ours['megabytes'] / keras['megabytes']:.2f}"
    lines.append(_row(["**ours / keras**", *(f"**{r}**" for r in [*ratios, memory])]))
    return lines


def _tagging(rows):
    lines = [
        "## Tagging",
        "",
        "A train step, in milliseconds, of an LSTM with a CRF at its end, and with a softmax; the "
        "accuracy is measured in both.",
        "",
        *_head(["batch, timesteps, units, tags", "CRF", "spread", "softmax", "spread", "ratio"]),
    ]
    for row in rows:
        if row["what"] == "train step":
            time, spread = row["milliseconds"], row["spread"]
            cells = [", ".join(map(str, row["shape"]))]
            for head in ("crf", "softmax"):
                cells += [f"{time[head]:.1f}", f"{spread[head]:.0%}"]
            lines.append(_row([*cells, f"{time['crf'] / time['softmax']:.2f}"]))
    lines += ["", *_head(["run", "texts a batch", "characters a second", "spread"])]
    for row in rows:
        if row["what"] == "tag":
            rate, spread = row["characters a second"], row["spread"]
            lines.append(
                _row([row["run"], str(row["batch_size"]), f"{rate:,.0f}", f"{spread:.0%}"])
            )
    return lines


def _generation(rows):
    lines = [
        "## Generation",
        "",
        "What a token costs that one LSTM(256) over 100 tokens makes, the state carried on.",
        "",
        *_head(["sequences at once", "tokens each", "milliseconds a token", "spread"]),
    ]
    for row in rows:
        cells = [str(row["rows"]), f"{row['tokens']:,}", f"{row['milliseconds a token']:.2f}"]
        lines.append(_row([*cells, f"{row['spread']:.0%}"]))
    return lines


def _decoding(rows):
    lines = [
        "## Translation",
        "",
        f"Words a second that become phonemes ({rows[0]['model']}), and what a beam costs: it is "
        "searched only for words of which it is not certain that a beam of 1 found the best.",
        "",
        *_head(["words at once", "beam", "words a second", "spread", "time over a beam of 1"]),
    ]
    for row in rows:
        cells = [str(row["batch"]), str(row["beam"]), f"{row['words a second']:,.0f}"]
        lines.append(_row([*cells, f"{row['spread']:.0%}", f"{row['of greedy']:.2f}"]))
    return lines


def _copy_reverse(rows):
    lengths = list(rows[0]["exact"])
    lines = [
        "## Attention",
        "",
        "Random letters said again, forwards or backwards: share of the sequences without a "
        "mistake, by length. Pictures: [by length](../benchmarks/results/copy_reverse.png), "
        "[where it looks](../benchmarks/results/copy_reverse_attention.png).",
        "",
        *_head(["model", "updates", *map(str, lengths)]),
    ]
    for row in rows:
        cells = [row["model"], f"{row['updates']:,}"]
        lines.append(_row(cells + [f"{row['exact'][length]:.1%}" for length in lengths]))
    return lines


def _tracing(rows):
    lines = [
        "## Tracing",
        "",
        "A trace of two bidirectional LSTM layers of 128 units a direction over 48 characters a "
        "sentence. Memory: by how much the peak of the process grows, beyond what the model itself "
        "and a trace of one sentence took, over what is returned.",
        "",
        *_head(["sentences", "megabytes returned", "memory", "model, s", "trace, s", "spread"]),
    ]
    for row in rows:
        time, spread = row["seconds"], row["spread"]["trace"]
        cells = [str(row["sentences"]), f"{row['megabytes returned']:.0f}"]
        cells += [f"{row['peak over returned']:.2f}", f"{time['model']:.2f}"]
        lines.append(_row([*cells, f"{time['trace']:.2f}", f"{spread:.0%}"]))
    return lines


def _exports(rows):
    formats = list(dict.fromkeys(row["format"] for row in rows))
    lines = [
        "## Exported models",
        "",
        "Milliseconds for one example of the test split, by endpoint where a format has several; "
        "and the largest difference from the model. SavedModels take texts and give readable "
        "answers, the others numbers. The runs were trained for one or a few epochs only.",
        "",
        *_head(["run", *formats, *(f"difference, {name}" for name in formats[1:])]),
    ]
    for run in dict.fromkeys(row["run"] for row in rows):
        of_run = [row for row in rows if row["run"] == run]
        cells, differences = [run], []
        for name in formats:
            found = [row for row in of_run if row["format"] == name]
            several = len(found) > 1
            cells.append(
                ", ".join(
                    (f"{row['endpoint']} " if several else "") + f"{row['milliseconds']:.2f}"
                    for row in found
                )
            )
            if name in formats[1:]:
                differences.append(f"{found[0]['max_abs_error']:.1e}" if found else "")
        lines.append(_row([*cells, *differences]))
    return lines


def _serving(rows):
    named, times = ("run", "clients", "server"), ("p50, ms", "p99, ms")
    counts = ("errors", "requests")
    lengths = {row["run"]: row["characters"] for row in rows}
    lines = [
        "## Serving",
        "",
        "`keras-seq serve` asked for test sentences, one a request, by so many clients of `wrk` on "
        "the same cores at once, batched and with `--max-batch-size 1`. Lengths at 5, 50 and 95%: "
        + "; ".join(f"{run} {', '.join(map(str, c))} characters" for run, c in lengths.items())
        + ".",
        "",
        *_head([*named, "requests a second", "spread", "over one by one", *times, *counts]),
    ]
    rates = {(row["run"], row["clients"], row["server"]): row["requests a second"] for row in rows}
    for row in rows:
        rate = row["requests a second"]
        over = rate / rates[row["run"], row["clients"], "one by one"]
        cells = [*(str(row[n]) for n in named), f"{rate:,.0f}", f"{row['spread']:.0%}"]
        cells += [f"{over:.2f}", *(f"{row[n]:.1f}" for n in times)]
        cells += [f"{row[n]:,}" for n in counts]
        lines.append(_row(cells))
    return lines


def _serving_before(rows):
    lines = [
        "### Against the code before limits of connections",
        "",
        "The same models served by this code and by that of commit 0a37917, in turn. A ratio above "
        "1 means that this code is faster: in requests a second, and in requests a second of the "
        "server's processor time, which other processes disturb less.",
        "",
        *_head(["run", "clients", "requests a second", "before", "ratio", "ratio by processor"]),
    ]
    by_server = {(row["run"], row["clients"], row["server"]): row for row in rows}
    rate, cpu = "requests a second", "CPU, ms a request"
    for (run, clients, server), now in by_server.items():
        if server == "now":
            before = by_server[run, clients, "before"]
            cells = [run, str(clients), f"{now[rate]:,.0f}", f"{before[rate]:,.0f}"]
            cells += [f"{now[rate] / before[rate]:.2f}", f"{before[cpu] / now[cpu]:.2f}"]
            lines.append(_row(cells))
    return lines


def _head(names):
    return [_row(names), _row(["---"] * len(names))]


def _row(cells):
    return f"| {' | '.join(cells)} |"


def _ratio(row, column):
    return f"{row[column]:.2f}" if column in row else "-"


def _processor():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor()
