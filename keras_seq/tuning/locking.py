"""Lock of a search, for the threads of a chief."""

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar


class Lockable(Protocol):
    """Object with a lock, and the first error of its synchronized methods."""

    lock: Any
    failure: Exception | None


Self = TypeVar("Self", bound=Lockable)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def synchronized(
    method: Callable[Concatenate[Self, Parameters], Result],
) -> Callable[Concatenate[Self, Parameters], Result]:
    """Make a method run in one thread at a time, and fail in all threads after an error.

    keras-tuner's own decorator never releases its lock after an error, such as a full disk. A chief
    would wait for the lock forever.
    """

    @functools.wraps(method)
    def locked(self: Self, /, *args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
        with self.lock:
            if self.failure is not None:
                raise self.failure
            try:
                return method(self, *args, **kwargs)
            except Exception as error:
                self.failure = error
                raise

    return locked
