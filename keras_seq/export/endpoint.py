"""What a model answers when it is exported."""

from typing import Any, NamedTuple

from keras import ops, tree

from keras_seq.scan.compiled import portable

NEXT = "next_"
"""What begins the names of the state for the step after."""

STEPS = 3
"""How far on `step` is compared, as well as at the beginning."""


class Endpoint(NamedTuple):
    """A function of a model that is exported."""

    function: Any
    """Takes tensors, returns a dict of tensors by name."""
    signature: list
    """A `tf.TensorSpec` with a name for each argument."""
    examples: list
    """Lists of arguments to compare the exported function on; the first has one row."""


def begin_and_step(begin, step, signature, examples, over_time=()):
    """The endpoints of a model that writes token after token: `begin` and `step`.

    Args:
        begin: Takes tensors, returns a dict of all that `step` takes; what `step` will return anew,
            and the first `token`, as `anew` names it.
        step: Takes a dict of tensors by name, returns a dict of `log_probs`, `(rows, tokens)`, the
            next state as `anew` names it, and what else there is to know.
        signature: Of `begin`.
        examples: Of `begin`, as in `Endpoint`.
        over_time: Names of what has, behind the rows, an axis of any length.
    """
    import tensorflow as tf

    def by_name(*tensors):
        return step(dict(zip(names, tensors)))

    def taken(found):
        """The arguments of `step` out of what it or `begin` returned."""
        return [found.get(f"{NEXT}{name}", found.get(name)) for name in names]

    with portable():
        first, later = (begin(*map(ops.convert_to_tensor, given)) for given in examples)
        names = [name.removeprefix(NEXT) for name in first]
        for _ in range(STEPS):
            later |= by_name(*taken(later))
            later[f"{NEXT}token"] = ops.argmax(later["log_probs"], axis=-1)
    given = [taken(first), taken(later)]
    specs = []
    for name, tensor in zip(names, given[0]):
        sizes = [None, *tensor.shape[2:]] if name in over_time else tensor.shape[1:]
        specs.append(tf.TensorSpec([None, *sizes], tensor.dtype, name))
    return {
        "begin": Endpoint(begin, signature, examples),
        "step": Endpoint(by_name, specs, given),
    }


def state_names(sizes):
    """Names for the states of recurrent layers, nested as these are: `layer_0_h`, `layer_0_c`.

    Args:
        sizes: For each layer the sizes of its states.
    """
    return [
        [f"layer_{number}_{name}" for name, _ in zip("hc", states)]
        for number, states in enumerate(sizes)
    ]


def anew(names, layers, **others):
    """The state for the step after by names of its own: no graph of ONNX returns what it takes.

    Args:
        names: Of the states of the layers, nested alike.
        layers: These states.
        others: What else belongs to the state, by name.
    """
    named = zip(tree.flatten(names), tree.flatten(layers))
    return {f"{NEXT}{name}": tensor for name, tensor in [*others.items(), *named]}
