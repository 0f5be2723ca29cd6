"""Endpoints `init` and `step` of autoregressive models."""

from collections.abc import Callable, Collection, Iterable
from typing import Any

from keras import ops, tree

from keras_seq._internal.export_target import exporting_to
from keras_seq.export.signatures.base import Endpoint

NEXT_PREFIX = "next_"
"""Prefix of the names of the next state."""

VERIFIED_STEPS = 3
"""Number of greedy steps before `step` is verified a second time."""


def init_and_step(
    init: Callable[..., dict[str, Any]],
    step: Callable[[dict[str, Any]], dict[str, Any]],
    signature: list[Any],
    examples: list[list[Any]],
    variable_length: Collection[str] = (),
) -> dict[str, Endpoint]:
    """Return the endpoints `init` and `step` of an autoregressive model.

    Args:
        init: Function of tensors that returns the inputs of `step` by name. The names of the state
            and the first `token` have the prefix `next_`.
        step: Function of tensors by name. It returns `log_probs` `(rows, tokens)` and the next
            state, with the prefix `next_`.
        signature: Specs of the arguments of `init`.
        examples: Arguments of `init` to verify the export on, see `Endpoint`.
        variable_length: Names of tensors whose second axis may have any size.
    """
    import tensorflow as tf

    def step_by_name(*tensors: Any) -> dict[str, Any]:
        return step(dict(zip(names, tensors, strict=True)))

    def step_args(outputs: dict[str, Any]) -> list[Any]:
        """Return the arguments of `step` from the outputs of `init` or `step`."""
        return [outputs.get(f"{NEXT_PREFIX}{name}", outputs.get(name)) for name in names]

    # This target avoids XLA, which takes seconds to compile.
    with exporting_to("savedmodel"):
        first, later = (init(*map(ops.convert_to_tensor, arguments)) for arguments in examples)
        names = [name.removeprefix(NEXT_PREFIX) for name in first]
        for _ in range(VERIFIED_STEPS):
            later |= step_by_name(*step_args(later))
            later[f"{NEXT_PREFIX}token"] = ops.argmax(later["log_probs"], axis=-1)
    arguments = [step_args(first), step_args(later)]
    specs = []
    for name, tensor in zip(names, arguments[0], strict=True):
        sizes = [None, *tensor.shape[2:]] if name in variable_length else tensor.shape[1:]
        specs.append(tf.TensorSpec([None, *sizes], tensor.dtype, name))
    return {
        "init": Endpoint(init, signature, examples),
        "step": Endpoint(step_by_name, specs, arguments),
    }


def state_names(sizes: Iterable[Collection[int]]) -> list[list[str]]:
    """Return names for the states of recurrent layers, such as `layer_0_h` and `layer_0_c`.

    Args:
        sizes: Sizes of the states of each layer.
    """
    return [
        [f"layer_{index}_{name}" for name, _ in zip("hc", states, strict=False)]
        for index, states in enumerate(sizes)
    ]


def rename_next_state(names: Any, states: Any, **others: Any) -> dict[str, Any]:
    """Return the next state by name, with the prefix `next_`.

    The prefix is needed because an ONNX graph may not return one of its inputs.

    Args:
        names: Names of the states of the recurrent layers.
        states: States of the recurrent layers, in the same structure.
        **others: Other tensors of the state by name.
    """
    pairs = zip(tree.flatten(names), tree.flatten(states), strict=True)
    return {f"{NEXT_PREFIX}{name}": tensor for name, tensor in [*others.items(), *pairs]}
