"""How much one server takes, and what is too much."""

import dataclasses

from keras_seq.errors import InputError


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a server takes at once; more is refused in one sentence."""

    batch: int = 32
    """Instances, of one or more requests, that a model answers together; 1 for none together."""
    wait: float = 2.0
    """Milliseconds that an instance waits for others to be answered with."""
    instances: int = 256
    """Instances a request."""
    length: int = 10_000
    """Characters or timesteps an instance."""
    body: int = 4_194_304
    """Bytes a request."""
    queue: int = 512
    """Requests that wait for one signature of a model; more get the status 429."""
    timeout: float = 30.0
    """Seconds, both for a request to arrive and for its answer."""

    def __post_init__(self):
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if not (value > 0 or (field.name == "wait" and value == 0)):
                raise InputError(f"{field.name} must be positive, not {value}.")

    def check(self, specs, arrays):
        """Refuses the inputs of one request that are too many or too long.

        Args:
            specs: Name to `Spec`.
            arrays: Name to an array that fits it.

        Raises:
            InputError: So they are.
        """
        rows = {}
        for name, array in arrays.items():
            known = specs[name].shape or (None,) * array.ndim
            for axis, (size, fixed) in enumerate(zip(array.shape, known)):
                most, what = (self.length, "timesteps") if axis else (self.instances, "instances")
                if fixed is None and size > most:
                    raise InputError(f"{name!r} has {size} {what}; at most {most} are taken.")
                if fixed is None and axis == 0:
                    rows[name] = size
            if array.dtype == object:
                self._check_texts(name, array)
            # So `SequenceGenerator` calls what decides how long an answer takes.
            elif name == "max_length" and array.max() > self.length:
                raise InputError(f"{name!r} is {array.max()}; at most {self.length} is taken.")
        if len(set(rows.values())) > 1:
            counts = ", ".join(f"{name!r} {size}" for name, size in rows.items())
            raise InputError(f"The inputs must have equally many instances, not {counts}.")

    def _check_texts(self, name, texts):
        longest = max(texts.flat, key=len)
        # There are never more characters than bytes.
        if len(longest) > self.length:
            characters = len(longest.decode(errors="replace"))
            if characters > self.length:
                raise InputError(
                    f"{name!r} has a text of {characters} characters; at most {self.length} are "
                    "taken."
                )
