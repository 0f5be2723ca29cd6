"""Table of all custom and stopped gradients, and of the order to which each is differentiable."""

import collections
import re
from pathlib import Path

import keras_seq

ROOT = Path(keras_seq.__file__).parent
TESTS = Path(__file__).parents[1]

MARKS = re.compile(
    r"(custom_gradient|custom_vjp|custom_jvp|autograd\.Function|recompute_grad|RegisterGradient"
    r"|\bremat|stop_gradient|\.detach)\b"
)

# By file: the number of lines with each mark, the order up to which derivatives are right, and the
# test of that.
ROWS = {
    "scan/derivatives.py": (
        {"custom_gradient": 3, "autograd.Function": 1, "stop_gradient": 2},
        "any",
        "scan/test_derivatives.py",
    ),
    "scan/checkpoint.py": ({"remat": 1, "custom_gradient": 1}, "any", "scan/test_checkpoint.py"),
    "scan/ctc.py": ({"stop_gradient": 1, ".detach": 2}, "any", "scan/test_ctc.py"),
    "scan/linear_chain.py": (
        {"stop_gradient": 3},
        "any, for finite values",
        "scan/test_linear_chain.py",
    ),
    "layers/crf_loss.py": ({"stop_gradient": 1}, "none: a copy for a metric", None),
    "cli/predict.py": ({".detach": 1}, "no gradient: a text stream", None),
    "_internal/sockets.py": ({".detach": 1}, "no gradient: a socket", None),
}
CUSTOM_GRADIENTS = {
    "scan/fast.py": "scan/test_derivatives.py",
    "scan/ctc.py": "scan/test_ctc.py",
    "scan/linear_chain.py": "scan/test_linear_chain.py",
}


def marked():
    """Count the marks in each file of the package, without comments."""
    actual = {}
    for path in ROOT.rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        code = (line for line in lines if not line.lstrip().startswith("#"))
        if marks := collections.Counter(m[1] for line in code for m in MARKS.finditer(line)):
            actual[path.relative_to(ROOT).as_posix()] = dict(marks)
    return actual


def test_each_custom_gradient_has_a_row():
    expected = {file: marks for file, (marks, _, _) in ROWS.items()}
    assert marked() == expected, "give it a row, and a test of the orders that it supports"


def test_each_function_with_a_reference_has_a_row():
    actual = {
        path.relative_to(ROOT).as_posix()
        for path in ROOT.rglob("*.py")
        if re.search(r"(?<!class )\bCustomGradient\(", path.read_text(encoding="utf-8"))
    }
    assert actual == set(CUSTOM_GRADIENTS)


def test_each_row_names_a_test_of_second_derivatives():
    for test in {*CUSTOM_GRADIENTS.values(), *(test for _, _, test in ROWS.values() if test)}:
        assert re.search(r"def test_\w*(second|two)_derivatives", (TESTS / test).read_text()), test
