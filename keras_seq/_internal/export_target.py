"""The target of a running export, for the few functions that compute differently in one.

While an exporter traces a model, `exporting_to` holds its target, and `export_target` returns it. A
function reads the target, or is decorated by `dispatch_by_target`: then each target can have its
own implementation, which `implement` registers, also from modules above that of the function.
"""

import contextlib
import contextvars
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, Literal, ParamSpec, TypeVar

import keras
import wrapt

Target = Literal["savedmodel", "onnx", "litert"]
P = ParamSpec("P")
R = TypeVar("R")
Function = TypeVar("Function", bound=Callable[..., Any])

_target: contextvars.ContextVar[Target | None] = contextvars.ContextVar("target", default=None)
_implementations: dict[tuple[Callable[..., Any], Target | None], Callable[..., Any]] = {}


def export_target() -> Target | None:
    """Return what the current thread exports to, or None if it exports nothing."""
    return _target.get()


@contextlib.contextmanager
def exporting_to(target: Target) -> Iterator[None]:
    """Hold a target of exports for the length of a `with` block.

    Args:
        target: "savedmodel" for plain operations of TensorFlow, which run uncompiled anywhere.
    """
    token = _target.set(target)
    try:
        yield
    finally:
        _target.reset(token)


def dispatch_by_target(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function that exports may compute in another way, see `implement`."""

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return _implementations.get((call, export_target()), function)(*args, **kwargs)

    return call


def implement(function: Callable[..., Any], target: Target) -> Callable[[Function], Function]:
    """Decorate the implementation of a function for a target.

    Args:
        function: Function that is decorated by `dispatch_by_target`.
        target: Target for which the implementation takes its place.

    Raises:
        TypeError: If the implementation has other parameters; of a method, `self` may have a name.
    """
    names = list(inspect.signature(function).parameters)

    def register(implementation: Function) -> Function:
        taken = list(inspect.signature(implementation).parameters)
        first = 1 if names[:1] == ["self"] else 0
        if len(taken) != len(names) or taken[first:] != names[first:]:
            raise TypeError(
                f"{implementation.__qualname__} must take {', '.join(names)}, as "
                f"{function.__qualname__} does."
            )
        _implementations[function, target] = implementation
        return implementation

    return register


def follow_keras_exports() -> None:
    """Let Keras's own exports, such as `model.export(path)`, have the target "savedmodel".

    Keras traces a model for all formats in functions that it gives to `ExportArchive.add_endpoint`,
    and tells no layer that it exports. So these functions hold the target while they are traced.
    """
    # The public class makes an instance of another one, that of the backend.
    archive_class = type(keras.export.ExportArchive())
    wrapt.wrap_function_wrapper(archive_class, "add_endpoint", _add_endpoint)


def _add_endpoint(
    add_endpoint: Callable[..., Any], archive: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    def add(name: str, fn: Callable[..., Any], input_signature: Any = None, **options: Any) -> Any:
        if input_signature is not None:  # else it was traced by its maker
            fn = _with_target(fn)
        return add_endpoint(name, fn, input_signature, **options)

    return add(*args, **kwargs)


def _with_target(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        # Our own exporters have set a target already.
        with exporting_to(export_target() or "savedmodel"):
            return function(*args, **kwargs)

    return call
