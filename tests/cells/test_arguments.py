"""Weights, configurations and invalid arguments of the cells; absence of loops over time."""

import ast
import inspect
import math
import subprocess
import sys

import keras
import numpy as np
import pytest
from helpers import assert_close, normal, to_numpy

from keras_seq import cells
from keras_seq._internal.errors import InputError

D, H = 3, 4  # features, units

CELLS = [
    cells.SimpleRNNCell,
    cells.GRUCell,
    cells.LSTMCell,
    cells.PeepholeLSTMCell,
    cells.DiagonalPeepholeLSTMCell,
]
GATED = CELLS[1:]
LSTMS = CELLS[2:]


def built(cls, units=H, **kwargs):
    cell = cls(units, **kwargs)
    cell.build((None, D))
    return cell


# In the order of `get_weights()`. The last is the order of TensorFlow Addons' PeepholeLSTMCell.
WEIGHTS = {
    cells.SimpleRNNCell: {"kernel": (D, H), "recurrent_kernel": (H, H), "bias": (H,)},
    cells.GRUCell: {"kernel": (D, 3 * H), "recurrent_kernel": (H, 3 * H), "bias": (2, 3 * H)},
    cells.LSTMCell: {"kernel": (D, 4 * H), "recurrent_kernel": (H, 4 * H), "bias": (4 * H,)},
    cells.PeepholeLSTMCell: {
        "kernel": (D, 4 * H),
        "recurrent_kernel": (H, 3 * H),
        "bias": (4 * H,),
    },
    cells.DiagonalPeepholeLSTMCell: {
        "kernel": (D, 4 * H),
        "recurrent_kernel": (H, 4 * H),
        "bias": (4 * H,),
        "input_gate_peephole_weights": (H,),
        "forget_gate_peephole_weights": (H,),
        "output_gate_peephole_weights": (H,),
    },
}


@pytest.mark.parametrize("cls", CELLS)
def test_weights_have_their_names_shapes_and_order(cls):
    expected = WEIGHTS[cls]
    assert {w.name: w.shape for w in built(cls).weights} == expected
    assert [w.name for w in built(cls).weights] == list(expected)
    without_bias = [w.name for w in built(cls, use_bias=False).weights]
    assert without_bias == [name for name in expected if name != "bias"]


def test_the_bias_of_gru_has_one_row_if_the_reset_gate_acts_before():
    assert built(cells.GRUCell, reset_after=False).bias.shape == (3 * H,)


@pytest.mark.parametrize("cls", LSTMS)
def test_forget_gate_bias_starts_at_one(cls):
    i, f, c, o = np.split(to_numpy(built(cls, bias_initializer="zeros").bias), 4)
    assert (f == 1).all()
    assert not np.any([i, c, o])
    assert not np.any(to_numpy(built(cls, unit_forget_bias=False).bias))


@pytest.mark.parametrize("cls", CELLS)
def test_each_weight_has_its_own_initializer_regularizer_and_constraint(cls):
    kinds = ["kernel", "recurrent", "bias"]
    constant = keras.initializers.Constant
    initial = {f"{k}_initializer": constant(i + 1.0) for i, k in enumerate(kinds)}
    cell = built(
        cls,
        **initial,
        **{f"{k}_regularizer": keras.regularizers.L1(10.0**i) for i, k in enumerate(kinds)},
        **{f"{k}_constraint": keras.constraints.MaxNorm(i + 1) for i, k in enumerate(kinds)},
        **({"unit_forget_bias": False} if cls in LSTMS else {}),
    )
    weights = [cell.kernel, cell.recurrent_kernel, cell.bias]
    for i, weight in enumerate(weights):
        assert (to_numpy(weight) == i + 1).all()
        assert weight.constraint.max_value == i + 1
    sizes = [math.prod(w.shape) for w in weights]
    losses = [10.0**i * (i + 1) * size for i, size in enumerate(sizes)]
    assert sorted(to_numpy(cell.losses)) == pytest.approx(sorted(losses))


def test_peephole_initializer_defaults_to_the_kernel_initializer():
    like_the_kernel = built(cells.DiagonalPeepholeLSTMCell, kernel_initializer="ones")
    of_their_own = built(cells.DiagonalPeepholeLSTMCell, peephole_initializer="zeros")
    for cell, begins in ((like_the_kernel, 1.0), (of_their_own, 0.0)):
        for gate in ("input", "forget", "output"):
            assert (to_numpy(getattr(cell, f"{gate}_gate_peephole_weights")) == begins).all()
    assert np.any(to_numpy(of_their_own.kernel))


NOT_DEFAULT = {
    "activation": "relu",
    "use_bias": False,
    "kernel_initializer": keras.initializers.Constant(0.5),
    "recurrent_initializer": "zeros",
    "bias_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L2(0.1),
    "recurrent_regularizer": "l1",
    "bias_regularizer": "l2",
    "kernel_constraint": keras.constraints.MaxNorm(3),
    "recurrent_constraint": "non_neg",
    "bias_constraint": "unit_norm",
    "dropout": 0.25,
    "recurrent_dropout": 0.5,
    "seed": 11,
    "name": "mine",
    "dtype": "mixed_bfloat16",
}


@pytest.mark.parametrize("cls", CELLS)
def test_config_round_trip(cls):
    arguments = {"units": 7, **NOT_DEFAULT}
    arguments |= {"recurrent_activation": "hard_sigmoid"} if cls in GATED else {}
    arguments |= {"unit_forget_bias": False} if cls in LSTMS else {}
    arguments |= {"reset_after": False} if cls is cells.GRUCell else {}
    if cls is cells.DiagonalPeepholeLSTMCell:
        arguments["peephole_initializer"] = "ones"
    known = {p for c in cls.__mro__ if c.__module__.startswith("keras_seq") for p in parameters(c)}
    assert known - {"self", "args", "kwargs"} <= set(arguments)  # the table has all arguments

    cell = cls(**arguments)
    config = cell.get_config()
    assert cls.from_config(config).get_config() == config
    assert (
        keras.saving.deserialize_keras_object(
            keras.saving.serialize_keras_object(cell)
        ).get_config()
        == config
    )
    default = cls(7).get_config()
    assert {k for k in arguments if config[k] == default[k]} == {"units"}


def parameters(cls):
    init = vars(cls).get("__init__")
    return inspect.signature(init).parameters if init else ()


@pytest.mark.parametrize("cls", CELLS)
def test_is_registered_in_the_package(cls):
    assert keras.saving.get_registered_name(cls) == f"keras_seq>{cls.__name__}"


@pytest.mark.parametrize("cls", CELLS)
def test_call_equals_project_and_step_from_a_zero_state(cls):
    cell, x = built(cls, dtype="float32"), normal(2, D)
    initial = cell.get_initial_state(batch_size=2)
    output, states = cell(x, initial)
    step = cell.step(cell.project(keras.ops.convert_to_tensor(x)), initial)
    assert not np.any(to_numpy(initial))
    assert [s.shape for s in initial] == [s.shape for s in states]
    assert_close(to_numpy([output, *states]), to_numpy([step.output, *step.states]))
    assert output.shape == (2, cell.output_size)


@pytest.mark.parametrize("cls", CELLS)
def test_activations_are_applied(cls):
    """The default activation of a linear gate is the gate."""
    linear = {"activation": None} | ({"recurrent_activation": None} if cls in GATED else {})
    x = keras.ops.convert_to_tensor(normal(2, D))
    cell, other = built(cls), built(cls, **linear)
    other.set_weights(cell.get_weights())
    squashed, plain = (
        to_numpy(c.step(c.project(x), c.get_initial_state(2)).gates) for c in (cell, other)
    )
    if cls is cells.DiagonalPeepholeLSTMCell:
        del plain["output"]  # it reads the new c, which the activations change
    for gate, value in plain.items():
        squash = np.tanh if gate == "candidate" else lambda a: 1 / (1 + np.exp(-a))
        assert_close([squashed[gate]], [squash(value)])


BAD = {
    "zero units": ({"units": 0}, "`units`", "0"),
    "negative units": ({"units": -1}, "`units`", "-1"),
    "a fraction of units": ({"units": 2.5}, "`units`", "2.5"),
    "true units": ({"units": True}, "`units`", "True"),
    "a word for units": ({"units": "four"}, "`units`", "'four'"),
    "negative dropout": ({"dropout": -0.1}, "`dropout`", "-0.1"),
    "too much dropout": ({"dropout": 1.5}, "`dropout`", "1.5"),
    "dropout is not a number": ({"dropout": math.nan}, "`dropout`", "nan"),
    "a word for dropout": ({"dropout": "half"}, "`dropout`", "'half'"),
    "recurrent dropout": ({"recurrent_dropout": 2}, "`recurrent_dropout`", "2"),
    "dtype": ({"dtype": "int32"}, "`dtype`", "'int32'"),
    "activation": ({"activation": "tahn"}, "activation 'tahn'", "did you mean 'tanh'?"),
    "activation like none": ({"activation": "zzz"}, "activation 'zzz'", "there are celu, elu,"),
}


@pytest.mark.parametrize("cls", CELLS)
@pytest.mark.parametrize("case", BAD)
def test_invalid_arguments_raise_errors_with_their_value(case, cls):
    arguments, name, value = BAD[case]
    with pytest.raises(InputError) as error:
        cls(**{"units": 4, **arguments})
    assert name in str(error.value)
    assert value in str(error.value)


def test_units_may_be_a_numpy_integer():
    assert cells.LSTMCell(np.int64(4)).units == 4


@pytest.mark.parametrize("cls", GATED)
def test_misspelled_recurrent_activation_gets_a_suggestion(cls):
    with pytest.raises(InputError, match=r"'sigmoyd'.*did you mean 'sigmoid'"):
        cls(4, recurrent_activation="sigmoyd")


@pytest.mark.parametrize("cls", CELLS)
def test_cell_files_have_no_loops_over_time(cls):
    loops = (ast.For, ast.While, ast.AsyncFor, ast.comprehension)
    calls = {"scan", "rnn", "while_loop", "fori_loop", "associative_scan", "map", "vectorized_map"}
    tree = ast.parse(inspect.getsource(sys.modules[cls.__module__]))
    for node in ast.walk(tree):
        assert not isinstance(node, loops), ast.unparse(node)
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", getattr(node.func, "id", None))
            assert name not in calls, ast.unparse(node)


def test_importing_the_package_imports_no_backend():
    heavy = ["tensorflow", "jax", "torch", "keras", "keras_tuner", "tensorflow_datasets"]
    program = f"import keras_seq, sys; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
