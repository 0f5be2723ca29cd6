"""Signatures that are written out for type checkers equal those at run time."""

import ast
import inspect
from pathlib import Path

import pytest
from helpers import CELLS

from keras_seq import layers
from keras_seq.layers.recurrent import cell_layers

NAMES = sorted({cls.__name__ for cls, _ in CELLS.values()})


def written_parameters(name):
    """Return the parameters of the `__init__` of a class, from its source."""
    tree = ast.parse(Path(cell_layers.__file__).read_text())
    [cls] = [n for n in tree.body if isinstance(n, ast.ClassDef) and n.name == name]
    [init] = [n for n in ast.walk(cls) if isinstance(n, ast.FunctionDef)]
    positional, keyword_only = init.args.args[1:], init.args.kwonlyargs
    defaults = [inspect.Parameter.empty] * (len(positional) - len(init.args.defaults))
    defaults += map(ast.literal_eval, [*init.args.defaults, *init.args.kw_defaults])
    kinds = [inspect.Parameter.POSITIONAL_OR_KEYWORD] * len(positional)
    kinds += [inspect.Parameter.KEYWORD_ONLY] * len(keyword_only)
    arguments = zip([*positional, *keyword_only], kinds, defaults, strict=True)
    return {argument.arg: (kind, default) for argument, kind, default in arguments}


@pytest.mark.parametrize("name", NAMES)
def test_written_signature_equals_the_computed_one(name):
    computed = inspect.signature(getattr(layers, name)).parameters
    expected = {p.name: (p.kind, p.default) for p in computed.values()}
    written = written_parameters(name)
    assert written == expected
    # Only positional arguments have an order.
    positional = [n for n, p in computed.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    assert list(written)[: len(positional)] == positional
