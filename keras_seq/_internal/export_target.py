"""Target of a running export, for the few functions that compute differently in one.

While an exporter traces a model within `exporting_to`, `export_target` returns its target. A
function may read the target. Or it is decorated by `dispatch_by_target`: then `implement` registers
a separate implementation for a target, also from a module that the function must not import.
"""

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal, ParamSpec, TypeVar

import keras
import wrapt

Target = Literal["graph", "savedmodel", "onnx", "litert"]
P = ParamSpec("P")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])

_target: contextvars.ContextVar[Target | None] = contextvars.ContextVar("target", default=None)
_implementations: dict[tuple[Callable[..., Any], Target | None], Callable[..., Any]] = {}


def export_target() -> Target | None:
    """Return the export target of the current thread, or None outside of an export."""
    return _target.get()


@contextlib.contextmanager
def exporting_to(target: Target) -> Iterator[None]:
    """Set the export target of the current thread within a `with` block.

    Args:
        target: Export target. "graph" stands for plain TensorFlow operations, which other programs
            can convert. "savedmodel" may also have operators that only TensorFlow runs.
    """
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def dispatch_by_target(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that may have another implementation per target, see `implement`."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return _implementations.get((call, export_target()), function)(*args, **kwargs)

    return call


def implement(function: Callable[..., Any], target: Target) -> Callable[[Function], Function]:
    """Decorate the implementation of a function for a target.

    Args:
        function: Function decorated by `dispatch_by_target`.
        target: Target for which the implementation replaces the function.

    Raises:
        TypeError: If the parameters differ. Only the first one of a method, `self`, may be renamed.
    """
    names = list(inspect.signature(function).parameters)

    def register(implementation: Function) -> Function:
        own_names = list(inspect.signature(implementation).parameters)
        first = 1 if names[:1] == ["self"] else 0
        if len(own_names) != len(names) or own_names[first:] != names[first:]:
            raise TypeError(
                f"{implementation.__qualname__} must take {', '.join(names)}, as "
                f"{function.__qualname__} does."
            )
        _implementations[function, target] = implementation
        return implementation

    return register


def follow_keras_exports() -> None:
    """Set the target "graph" in Keras's own exports, such as `model.export(path)`.

    For all formats, Keras traces the functions that it passes to `ExportArchive.add_endpoint`.
    Layers cannot see that it exports, so these functions set the target while they are traced.
    """
    # The public class creates an instance of a private one that depends on the backend.
    archive_class = type(keras.export.ExportArchive())
    wrapt.wrap_function_wrapper(archive_class, "add_endpoint", _add_endpoint)


def _add_endpoint(
    add_endpoint: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    def add(name: str, fn: Callable[..., Any], input_signature: Any = None, **options: Any) -> Any:
        if input_signature is not None:  # otherwise it was traced already
            fn = _with_target(fn)
        return add_endpoint(name, fn, input_signature, **options)

    return add(*args, **kwargs)


def _with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        # The exporters of keras-seq have set a target already.
        with exporting_to(export_target() or "graph"):
            return function(*args, **kwargs)

    return call
