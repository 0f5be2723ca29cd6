"""HTML page of `keras-seq trace`."""

from pathlib import Path
from typing import Any

from keras import ops

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import name_for
from keras_seq._internal.types import Tensor
from keras_seq.tracing.page import write_page
from keras_seq.tracing.trace import trace
from keras_seq.train.config import Config
from keras_seq.train.recipe import Recipe


def write_example_page(
    recipe: Recipe, config: Config, model: Any, example: str, folder: Path
) -> Path:
    """Trace a model on one example and write the page.

    Args:
        recipe: Recipe of the run.
        config: Config of the run.
        model: Trained model.
        example: Input that the recipe reads, or the index of an example in the test split.
        folder: Folder to write to.

    Returns:
        Path of the page.

    Raises:
        InputError: If there is no such example, or the recipe cannot read the input.
    """
    is_index = example.isdecimal()
    if is_index:
        value, target = _load_example(recipe, config, int(example))
    else:
        value, target = recipe.read_example(config, example), None
    inputs, step_labels = recipe.trace_inputs(model, value, target)
    traced = trace(model, inputs)
    norms = {
        "the sum of the best scores": traced.gradient_norms(lambda y: _best_scores(y, slice(None)))
    }
    if len(_main_output(traced.outputs).shape) == 3:
        norms["the best score at the last time step"] = traced.gradient_norms(
            lambda y: _best_scores(y, slice(-1, None))
        )
    path = folder / f"trace_{name_for(example)}.html"
    title = f"{recipe.name}: " + (f"example {example} of the test split" if is_index else example)
    tags = model.tag_set.tags if hasattr(model, "tag_set") else None
    write_page(traced, path, step_labels, title=title, gradients=norms, tags=tags)
    return path


def _load_example(recipe: Recipe, config: Config, index: int) -> tuple[Any, Any]:
    """Return an input of the test split and its target."""
    splits = recipe.load_splits(config)
    if "test" not in splits:
        raise InputError(
            f"The data {config.data!r} has no test split. Give an input instead of an index."
        )
    inputs, targets = splits["test"].inputs, splits["test"].targets
    if index >= len(inputs):
        raise InputError(
            f"There is no example {index}: the test split has {len(inputs)}, with indices from 0."
        )
    if isinstance(targets, dict):
        return inputs[index], {name: column[index] for name, column in targets.items()}
    return inputs[index], None if targets is None else targets[index]


def _main_output(outputs: Any) -> Tensor:
    """Return the first of several outputs."""
    if isinstance(outputs, dict):
        outputs = list(outputs.values())
    return outputs[0] if isinstance(outputs, (list, tuple)) else outputs


def _best_scores(outputs: Any, timesteps: slice) -> Tensor:
    """Return the sum of the best scores at these time steps, or of all if there is no time axis."""
    scores = _main_output(outputs)
    scores = scores[:, timesteps] if len(scores.shape) == 3 else scores
    return ops.sum(ops.max(scores, axis=-1))
