"""Model cards: a README.md in the folder of a run, with metadata for the Hugging Face Hub."""

import hashlib
import json
import math
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq._internal.unicode import show_controls
from keras_seq.data.huggingface import PREFIX as HF_PREFIX
from keras_seq.train.metrics import flatten, numbers
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.runs import REMEDY, Run

NAME = "README.md"
MARKER = "<!-- written by `keras-seq card`, sha256 {} -->\n"
"""Last line of a card, with the checksum of the text before it."""
SPLITS = ("test", "validation", "train")
FACTS = {
    "parameters": "parameters",
    "epochs": "epochs",
    "kept_epoch": "epoch of the kept weights",
    "seconds": "seconds of training, which depend on the machine",
    "machine": "machine",
}
"""Facts in `metrics.json`, and their names in a card."""


def write(run: Run, recipe: RecipeInfo, overwrite: bool = False) -> Path:
    """Write the model card of a finished run.

    Args:
        run: Finished run.
        recipe: Recipe of the run. Its code is not imported.
        overwrite: Whether to replace a card that a person edited.

    Returns:
        Path of the card.

    Raises:
        InputError: If a person edited the card, or a file of the run is damaged.
    """
    path = run.folder / NAME
    if not overwrite and is_edited(run):
        raise InputError(f"{path} was edited; add --overwrite to replace it.")
    with files.expect_content(run.folder / "metrics.json", "the metrics of a run", REMEDY):
        text = make_card(run, recipe)
    with files.atomic_write(path) as new:
        new.write_text(text + MARKER.format(_checksum(text)), encoding="utf-8")
    return path


def is_edited(run: Run) -> bool:
    """Return whether the folder of a run has a card that is not as `write` wrote it.

    Args:
        run: Run.
    """
    path = run.folder / NAME
    if not path.exists():
        return False
    text, _, last_line = path.read_bytes().decode("utf-8", "replace").rpartition("<!-- ")
    return "<!-- " + last_line != MARKER.format(_checksum(text))


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_card(run: Run, recipe: RecipeInfo) -> str:
    """Return the model card of a finished run in Markdown.

    Args:
        run: Finished run.
        recipe: Recipe of the run.

    Raises:
        InputError: If a file of the run is damaged.
    """
    preset, config = run.read_settings()
    metrics = run.metrics
    lines = [
        *_front_matter(run, recipe, config, metrics),
        "",
        f"# {_text(run.folder.resolve().name)}: {_text(recipe.name)}",
        "",
        f"{recipe.description} Trained with keras-seq: recipe `{recipe.name}`, preset "
        f"`{_text(preset)}`.",
        *_data_section(recipe, config, run.fingerprint.get("data", {})),
        *_metrics_section(recipe, metrics),
        *_usage_section(run, recipe),
        *_limits_section(metrics),
        "",
        "## Config",
        "",
        *_table(["field", "value"], [[name, _public(value)] for name, value in config.items()]),
        "",
        "## Training",
        "",
        *_table(["fact", "value"], _facts(metrics)),
    ]
    return "\n".join(lines) + "\n\n"


def _front_matter(
    run: Run, recipe: RecipeInfo, config: Mapping[str, Any], metrics: Mapping[str, Any]
) -> list[str]:
    """Return the metadata that the Hub reads, in YAML. A JSON string is a string in YAML."""
    task = recipe.preset("default").hub_task
    tags = ["keras", "keras-seq", "recurrent", recipe.name, config.get("cell")]
    lines = ["---", "library_name: keras-seq"]
    lines += [f"pipeline_tag: {task}"] if task else []
    lines += ["tags:", *(f"- {json.dumps(str(tag).lower())}" for tag in tags if tag)]
    if str(config.get("data", "")).startswith(HF_PREFIX):
        lines += ["datasets:", f"- {json.dumps(_hub_dataset(str(config['data'])))}"]
    source = json.dumps(_describe_source(recipe, config))
    splits = [split for split in SPLITS if numbers(metrics.get(split, {}))]
    lines += ["model-index:", f"- name: {json.dumps(run.folder.resolve().name)}"]
    lines += ["  results:" if splits else "  results: []"]
    for split in splits:
        lines += ["  - task:", f"      type: {task or 'other'}"]
        lines += ["    dataset:", f"      name: {source}", f"      type: {source}"]
        lines += [f"      split: {split}", "    metrics:"]
        for name, value in numbers(metrics[split]).items():
            if math.isfinite(value):
                lines += [f"    - type: {json.dumps(name)}", f"      value: {float(value)}"]
    return [*lines, "---"]


def _hub_dataset(source: str) -> str:
    return "/".join(source.removeprefix(HF_PREFIX).split("/")[:2])


def _describe_source(recipe: RecipeInfo, config: Mapping[str, Any]) -> str:
    """Return the name of the data, without the folders of local files."""
    data = str(config.get("data", ""))
    if data == "builtin":
        return f"{recipe.name} (builtin)"
    if re.match(r"(?:hf|tfds):", data):
        return data
    return ", ".join(Path(part).name for part in data.split(","))


def _public(value: Any) -> Any:
    """Return a value of a config, without the folders of absolute paths."""
    parts = value.split(",") if isinstance(value, str) else []
    is_path = any(Path(part).is_absolute() for part in parts)
    return ", ".join(Path(part).name for part in parts) if is_path else value


def _data_section(
    recipe: RecipeInfo, config: Mapping[str, Any], data: Mapping[str, Any]
) -> list[str]:
    source = str(config.get("data", ""))
    described = _text(_describe_source(recipe, config))
    if source == "builtin":
        where = f"the README of the recipe `{recipe.name}` in keras-seq"
    elif source.startswith(HF_PREFIX):
        where = f"https://huggingface.co/datasets/{_text(_hub_dataset(source))}"
    elif source.startswith("tfds:"):
        name = source.removeprefix("tfds:").split("/")[0]
        where = f"https://www.tensorflow.org/datasets/catalog/{_text(name)}"
    else:
        where = "the author of this model"
    rows = [[split, f"{facts.get('examples', 0):,}"] for split, facts in data.items()]
    return [
        "",
        "## Data",
        "",
        f"`{described}`. For its license, see the source: {where}.",
        *(["", *_table(["split", "examples"], rows)] if rows else []),
    ]


def _metrics_section(recipe: RecipeInfo, metrics: Mapping[str, Any]) -> list[str]:
    splits = [split for split in SPLITS if split in metrics]
    columns = dict.fromkeys(name for split in splits for name in numbers(metrics[split]))
    names = sorted(columns, key=lambda name: name != recipe.monitor)
    rows = [[split, *(_number(metrics[split].get(name, "")) for name in names)] for split in splits]
    lines = ["", "## Metrics", "", *_table(["split", *names], rows)]
    for name, details in metrics[splits[0]].items() if splits else ():
        if isinstance(details, Mapping) and details:
            lines += ["", f"{splits[0]}, {_text(name)}:", "", *_details_table(details)]
    return lines


def _details_table(details: Mapping[str, Any]) -> list[str]:
    if not all(isinstance(values, Mapping) for values in details.values()):
        return _table(["", "value"], [[name, _number(x)] for name, x in flatten(details).items()])
    columns = list(dict.fromkeys(name for values in details.values() for name in flatten(values)))
    return _table(
        ["", *columns],
        [
            [label, *(_number(flatten(values).get(name, "")) for name in columns)]
            for label, values in details.items()
        ],
    )


def _usage_section(run: Run, recipe: RecipeInfo) -> list[str]:
    folder = f"runs/{recipe.name}/{run.folder.resolve().name}"
    is_elsewhere = recipe.path is not None
    option = ', recipe="./RECIPE"' if is_elsewhere else ""
    lines = [
        "",
        "## Use",
        "",
        "With keras-seq; SOURCE is the address of this folder, such as `hf:OWNER/NAME`:",
        "",
        "```sh",
        f"keras-seq pull SOURCE {shlex.quote(run.folder.resolve().name)}",
        "```",
        "",
        "```python",
        "import keras_seq",
        "",
        f"trained = keras_seq.load_run({json.dumps(folder)}{option})",
        "print(trained.metrics)",
        "trained.predict([...])  # texts, file names or numbers, as for `keras-seq predict`",
        "```",
        "",
    ]
    if is_elsewhere:
        lines += ["RECIPE is the folder of the recipe's code, which is not part of the run.", ""]
    lines.append(
        "Without keras-seq, from the files of `keras-seq export`; the values are examples:"
    )
    return [*lines, *_example("SavedModel, in the folder `savedmodel`", SAVEDMODEL), *_onnx(run)]


def _example(title: str, code: str) -> list[str]:
    return ["", f"{title}:", "", "```python", code.strip(), "```"]


SAVEDMODEL = """
import tensorflow as tf

model = tf.saved_model.load("savedmodel")
signature = model.signatures["serving_default"]
inputs = {}
for name, spec in signature.structured_input_signature[1].items():
    shape = [size or 1 for size in spec.shape]
    is_text = spec.dtype == tf.string
    inputs[name] = tf.fill(shape, "a text") if is_text else tf.ones(shape, spec.dtype)
print(signature(**inputs))
"""
ONNX = """
import numpy as np
import onnxruntime

session = onnxruntime.InferenceSession("onnx/{file}")
inputs = {{}}
for value in session.get_inputs():
    shape = [size if isinstance(size, int) else 1 for size in value.shape]
    kind = value.type[len("tensor(") : -1]
    inputs[value.name] = np.ones(shape, "float32" if kind == "float" else kind)
print(session.run(None, inputs))
"""


def _onnx(run: Run) -> list[str]:
    """Return the example for the ONNX files in the folder of a run, if it has any."""
    names = sorted(path.name for path in (run.folder / "onnx").glob("*.onnx"))
    if not names:
        return []
    return _example("ONNX; `metadata.json` lists the ids", ONNX.format(file=names[0]))


def _limits_section(metrics: Mapping[str, Any]) -> list[str]:
    limits = [
        "The metrics hold for data like that above. Measure the model on your own data before you "
        "rely on it.",
        "One training with one seed; other seeds give other metrics.",
        "The model repeats the errors and the bias of its data.",
    ]
    if "test" not in metrics:
        limits.insert(0, "Not evaluated on the test split.")
    return ["", "## Limits", "", *(f"- {limit}" for limit in limits)]


def _facts(metrics: Mapping[str, Any]) -> list[list[Any]]:
    rows = [[text, metrics[name]] for name, text in FACTS.items() if name in metrics]
    versions = metrics.get("versions", {})
    return rows + [[f"version of {package}", version] for package, version in versions.items()]


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(map(_text, cells))} |" for cells in lines]


def _number(value: Any) -> str:
    """Return a metric as text, "" for a missing one."""
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _text(value: Any) -> str:
    """Return a value as text without Markdown or HTML that changes the page."""
    text = " ".join(show_controls(str(value)).split())
    return re.sub(r"([|\\\[\]*])", r"\\\1", text).replace("<", "&lt;").replace("`", "'")
