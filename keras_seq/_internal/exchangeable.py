"""Functions in whose place others can be put for a while."""

import contextlib
import contextvars
import functools


class Exchangeable:
    """Decorates a function so that an export, say, can have its own way of doing the same."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self._now = contextvars.ContextVar(function.__name__, default=function)

    def __call__(self, *arguments, **named):
        return self._now.get()(*arguments, **named)

    @contextlib.contextmanager
    def by(self, function):
        """Within this context another function takes its place."""
        token = self._now.set(function)
        try:
            yield
        finally:
            self._now.reset(token)
