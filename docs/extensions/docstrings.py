"""Sphinx extension that reads docstrings as they are written here and links their names."""

import importlib
import inspect
import re
import types
import typing
from typing import Annotated, Any

from docutils import nodes
from reference_pages import public_objects
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.inspect import stringify_signature

from keras_seq._internal.ranges import Range

COLON = "\ue000"
"""Character that stands for a colon."""

ARGUMENTS = re.compile(r"\s*[\w*]+(?:, [\w*]+)*,")
"""Line that ends within the names of arguments that share a description."""


def mark_code(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Mark indented equations and examples as literal, and join the names of arguments."""
    result: list[str] = []
    indent = 0
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if result and not result[-1] and line and depth >= indent + 4:
            result += [f"{' ' * indent}::", ""]
        if result and ARGUMENTS.fullmatch(result[-1]):
            result.append(f"{result.pop()} {line.lstrip()}")
            continue
        indent = depth if line else indent
        result.append(line)
    if what in ("attribute", "data"):
        # Napoleon would read what is before a colon as a type.
        result = [line.replace(":", COLON) for line in result]
    lines[:] = result


def restore_colons(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Restore the colons in the descriptions of attributes."""
    lines[:] = [line.replace(COLON, ":") for line in lines]


def leave_out_ranges(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, *signature: str | None
) -> None:
    """Show the types of numbers without their ranges, which the descriptions state."""
    function = inspect.unwrap(thing.__init__ if inspect.isclass(thing) else thing)
    if isinstance(function, types.FunctionType):
        hints = {key: _without_range(hint) for key, hint in function.__annotations__.items()}
        function.__annotations__ = {
            key: hint for key, hint in hints.items() if hint not in (None, "None")
        }
    own = getattr(thing, "__signature__", None)
    if isinstance(own, inspect.Signature):
        parameters = [
            parameter.replace(annotation=_without_range(parameter.annotation))
            for parameter in own.parameters.values()
        ]
        thing.__signature__ = own.replace(
            parameters=parameters, return_annotation=inspect.Signature.empty
        )


def show_arguments(
    app: Sphinx, what: str, name: str, thing: Any, options: Any, signature: str | None, _: str
) -> tuple[str, str] | None:
    """Show the arguments of models, which have a `__new__` of Keras with unnamed ones."""
    if not inspect.isclass(thing) or signature != "(*args, **kwargs)":
        return None
    arguments = inspect.signature(thing.__init__)
    named = arguments.replace(parameters=list(arguments.parameters.values())[1:])
    return stringify_signature(named, show_annotation=False, show_return_annotation=False), ""


def _without_range(hint: Any) -> Any:
    arguments = typing.get_args(hint)
    if typing.get_origin(hint) is Annotated:
        is_range = any(isinstance(part, Range) for part in arguments[1:])
        return arguments[0] if is_range else hint
    if isinstance(hint, types.UnionType):
        return typing.Union[tuple(map(_without_range, arguments))]  # noqa: UP007
    return hint


def show_public_bases(app: Sphinx, name: str, thing: Any, options: Any, bases: list[Any]) -> None:
    """Replace private base classes by those of them that are public or of other libraries."""
    bases[:] = [next(base for base in thing.__mro__[1:] if is_known(base))]


def is_known(base: type) -> bool:
    """Return whether a class is in the reference or of another library."""
    return _path(base) in PUBLIC_NAMES or not base.__module__.startswith("keras_seq.")


def resolve_path(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Link a public object by any of its paths; leave other paths that exist without a link."""
    target = str(node.get("reftarget"))
    if node.get("refdomain") != "py" or not target.startswith("keras_seq."):
        return None
    thing = find(target)
    public = None if thing is None else PUBLIC_NAMES.get(_path(thing))
    if public is not None:
        domain = env.domains.python_domain
        return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", public, node, content)
    return None if thing is None else content


def find(path: str) -> Any:
    """Return the object with a path, or None."""
    head, _, name = path.rpartition(".")
    try:
        return importlib.import_module(path)
    except ImportError:
        return getattr(find(head), name, None) if head else None


def _path(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


PUBLIC_NAMES = {_path(thing): name for name, thing in public_objects().items()}
"""Public name of each class and function by the path of its definition."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect the functions above. Docstrings are changed before napoleon reads them."""
    app.connect("autodoc-process-docstring", mark_code, priority=100)
    app.connect("autodoc-process-docstring", restore_colons, priority=900)
    app.connect("autodoc-process-signature", leave_out_ranges, priority=100)
    app.connect("autodoc-process-signature", show_arguments, priority=900)
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("missing-reference", resolve_path)
    return {"parallel_read_safe": True}
