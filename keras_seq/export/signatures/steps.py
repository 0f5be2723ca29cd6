"""Endpoints of models that write one token after the other: `init` and `step`."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from keras import ops, tree

from keras_seq._internal.export_target import exporting_to
from keras_seq.export.signatures.base import Endpoint

NEXT = "next_"
"""Prefix of the names of the state for the next step."""

COMPARED_STEPS = 3
"""Number of steps after which `step` is compared a second time."""


def init_and_step(
    init: Callable[..., dict[str, Any]],
    step: Callable[[dict[str, Any]], dict[str, Any]],
    signature: list[Any],
    examples: list[list[Any]],
    over_time: Collection[str] = (),
) -> dict[str, Endpoint]:
    """Return the endpoints `init` and `step` of a model that writes token after token.

    Args:
        init: Takes tensors, returns a dict of all that `step` takes. The state and the first
            `token` have names of `rename_next_state`.
        step: Takes a dict of tensors by name. Returns a dict with `log_probs` `(rows, tokens)` and
            the next state, with names of `rename_next_state`.
        signature: Specs of the arguments of `init`.
        examples: Arguments of `init`, as in `Endpoint`.
        over_time: Names of the tensors whose second axis may have any length.
    """
    import tensorflow as tf

    def step_by_name(*tensors: Any) -> dict[str, Any]:
        return step(dict(zip(names, tensors, strict=True)))

    def step_args(outputs: dict[str, Any]) -> list[Any]:
        """Return the arguments of `step`, from the outputs of `init` or `step`."""
        return [outputs.get(f"{NEXT}{name}", outputs.get(name)) for name in names]

    # Uncompiled, since XLA takes seconds to compile.
    with exporting_to("savedmodel"):
        first, later = (init(*map(ops.convert_to_tensor, arguments)) for arguments in examples)
        names = [name.removeprefix(NEXT) for name in first]
        for _ in range(COMPARED_STEPS):
            later |= step_by_name(*step_args(later))
            later[f"{NEXT}token"] = ops.argmax(later["log_probs"], axis=-1)
    arguments = [step_args(first), step_args(later)]
    specs = []
    for name, tensor in zip(names, arguments[0], strict=True):
        sizes = [None, *tensor.shape[2:]] if name in over_time else tensor.shape[1:]
        specs.append(tf.TensorSpec([None, *sizes], tensor.dtype, name))
    return {
        "init": Endpoint(init, signature, examples),
        "step": Endpoint(step_by_name, specs, arguments),
    }


def state_names(sizes: Iterable[Collection[int]]) -> list[list[str]]:
    """Return names for the states of recurrent layers: `layer_0_h`, `layer_0_c`.

    Args:
        sizes: For each layer the sizes of its states.
    """
    return [
        [f"layer_{number}_{name}" for name, _ in zip("hc", states, strict=False)]
        for number, states in enumerate(sizes)
    ]


def rename_next_state(names: Any, states: Any, **others: Any) -> dict[str, Any]:
    """Return the state for the next step under names of its own.

    A graph of ONNX may not return one of its inputs.

    Args:
        names: Names of the states of the recurrent layers.
        states: These states, in the same nest.
        others: What else belongs to the state, by name.
    """
    named = zip(tree.flatten(names), tree.flatten(states), strict=True)
    return {f"{NEXT}{name}": tensor for name, tensor in [*others.items(), *named]}
