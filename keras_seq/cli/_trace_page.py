"""The page of `keras-seq trace`: one example as a finished run reads it."""

import re
from pathlib import Path
from typing import Any

from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq.tracing.page import write_page
from keras_seq.tracing.trace import trace
from keras_seq.train.config import Config
from keras_seq.train.recipe import Recipe


def write_example_page(
    recipe: Recipe, config: Config, model: Any, example: str, folder: Path
) -> Path:
    """Write the page of a model that reads one example.

    Args:
        recipe, config, model: Those of the run.
        example: What the recipe reads, as people type it, or the number of a row of its test
            split, counted from 0.
        folder: Folder to write to.

    Returns:
        Path of the page.

    Raises:
        InputError: If there is no such row, or the recipe cannot read the example.
    """
    read, target = _row(recipe, config, int(example)) if example.isdecimal() else (example, None)
    inputs, steps = recipe.trace_inputs(model, read, target)
    found = trace(model, inputs)
    gradients = {"the sum of all answers": found.gradient_norms(lambda y: _answers(y, slice(None)))}
    if len(_first(found.outputs).shape) == 3:
        what = "the answer at the last time step"
        gradients[what] = found.gradient_norms(lambda y: _answers(y, slice(-1, None)))
    name = re.sub(r"\W+", "_", example)[:40].strip("_") or "example"
    path = folder / f"trace_{name}.html"
    title = f"{recipe.name}: {example if read is example else f'row {example} of the test split'}"
    tags = model.tag_set.tags if hasattr(model, "tag_set") else None
    write_page(found, path, steps, title=title, gradients=gradients, tags=tags)
    return path


def _row(recipe: Recipe, config: Config, number: int) -> tuple[Any, Any]:
    """Return an example of the test split with its target."""
    splits = recipe.load(config)
    if "test" not in splits:
        raise InputError(f"The data {config.data!r} has no test split; give a text.")
    inputs, targets = splits["test"].inputs, splits["test"].targets
    if number >= len(inputs):
        raise InputError(f"There is no row {number}: the test split has {len(inputs)}, from 0.")
    if isinstance(targets, dict):
        return inputs[number], {name: column[number] for name, column in targets.items()}
    return inputs[number], None if targets is None else targets[number]


def _first(outputs):
    """Of several outputs the first, which is what a model is for."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def _answers(outputs, when):
    """The scores of what the model finds best, summed over these time steps, if it has any."""
    scores = _first(outputs)
    scores = scores[:, when] if len(scores.shape) == 3 else scores
    return ops.sum(ops.max(scores, axis=-1))
