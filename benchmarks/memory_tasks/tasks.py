"""Tasks with long-range dependencies: generators of sequences, and scores."""

from typing import Any, Literal, Protocol

import numpy as np

Arrays = tuple[np.ndarray, np.ndarray]


class Task(Protocol):
    """Task with settings for its training."""

    metric: str
    """Name of the score."""
    mode: Literal["min", "max"]
    """`"min"` if lower scores are better."""
    solved: float
    """Score at which the task counts as solved."""
    distances: tuple[int, ...]
    seeds: tuple[int, ...]
    outputs: int
    """Size of the output at each time step."""
    every_step: bool
    """True if every time step has a target, false if only the last one has."""
    loss: str
    units: int
    learning_rate: float
    steps: int
    chrono: bool
    """True if the gate biases get the chrono initialization."""

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return random inputs and their targets."""

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""


class Adding:
    """Adding problem: the sum of two marked numbers, one in each half of the sequence.

    Hochreiter & Schmidhuber (1997), as in Arjovsky, Shah & Bengio (2016). Each step has a number
    from 0 to 1 and a mark that is 0 or 1. Always predicting 1 has a mean squared error of 1/6.
    """

    metric = "mean squared error"
    distances, seeds = (50, 200, 400, 1000), (0,)
    outputs, every_step, loss = 1, False, "mse"
    units, learning_rate, steps = 64, 3e-3, 4000
    chrono = True
    solved, mode = 1e-3, "min"

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return sequences `(count, distance, 2)` and sums `(count, 1)`."""
        numbers, marks = rng.random((count, distance)), np.zeros((count, distance))
        rows, half = np.arange(count), distance // 2
        marks[rows, rng.integers(0, half, count)] = 1
        marks[rows, rng.integers(half, distance, count)] = 1
        x = np.stack([numbers, marks], axis=-1)
        return x.astype("float32"), (numbers * marks).sum(axis=1, keepdims=True).astype("float32")

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        return float(np.mean((targets - outputs) ** 2))


class Copying:
    """Copying problem: repeat ten symbols after a delay.

    Arjovsky, Shah & Bengio (2016). 0 is blank, 1 to 8 are the symbols, and 9, in place of the last
    blank, starts the output one step later.
    """

    metric = "fraction of symbols right"
    distances, seeds = (10, 25, 50, 100, 200), (0,)
    outputs, every_step, loss = 9, True, "crossentropy"
    units, learning_rate, steps = 64, 3e-3, 4000
    chrono = True
    solved, mode = 0.99, "max"
    length, symbols = 10, 8

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return inputs `(count, distance + 20, 10)` and target ids `(count, distance + 20)`."""
        symbols = rng.integers(1, self.symbols + 1, (count, self.length))
        ids = np.zeros((count, distance + 2 * self.length), "int64")
        targets = ids.copy()
        ids[:, : self.length] = targets[:, -self.length :] = symbols
        ids[:, -self.length - 1] = self.symbols + 1
        return _one_hot(ids, self.symbols + 2), targets

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        right = outputs.argmax(axis=-1) == targets
        return float(right[:, -self.length :].mean())


class Agreement:
    """Subject-verb agreement: "The cat, which already ate ..., was full", "The cats ... were full".

    The verb at the end agrees with the second word. `distance` is the number of words between
    them, which include other nouns in singular and plural.
    """

    metric = "fraction of verbs right"
    distances, seeds = (10, 50, 100, 200, 400), (0,)
    outputs, every_step, loss = 1, False, "binary"
    units, learning_rate, steps = 32, 3e-3, 3000
    chrono = True
    solved, mode = 0.99, "max"
    between = ("which", "already", "ate", "near", "a", "delicious", "with", "and", "that", "often")
    words = ("the", "cat", "cats", "dog", "dogs", "friend", "friends", *between)
    verbs = ("was", "were")

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return one-hot words `(count, distance + 2, words)`, and 1 for "were" `(count, 1)`."""
        is_plural = rng.integers(0, 2, (count, 1))
        # A fifth of the words in between are distracting nouns.
        others = rng.integers(3, 7, (count, distance))
        plain = rng.integers(7, len(self.words), (count, distance))
        rest = np.where(rng.random((count, distance)) < 0.2, others, plain)
        ids = np.concatenate([np.zeros_like(is_plural), 1 + is_plural, rest], axis=1)
        return _one_hot(ids, len(self.words)), is_plural.astype("float32")

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        return float(np.mean((outputs > 0) == (targets > 0.5)))


class _Timing:
    """Timing task. A sequence is solved if the output is right at every time step."""

    metric = "fraction of sequences solved"
    outputs, every_step, loss = 1, True, "binary"
    units, learning_rate, steps = 32, 1e-2, 4000
    chrono = False
    solved, mode = 0.998, "max"
    seeds = (0, 1, 2)

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        return float(np.mean(((outputs > 0) == (targets > 0.5)).all(axis=(1, 2))))


class Measuring(_Timing):
    """Measuring spike delays, task MSD of Gers, Schraudolph & Schmidhuber (2002).

    Spikes are F + I steps apart, with the distance F and I from 0 to 9. The target at each spike
    except the first is I / 10. A sequence of five spikes is solved if every output is closest to
    its target among the ten possible values.
    """

    distances = (10, 30)
    loss, spikes, delays = "marked", 5, 10
    units, steps = 8, 6000

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return spikes `(count, timesteps, 1)`, targets and mask `(count, timesteps, 2)`."""
        timesteps = self.delays + (self.spikes - 1) * (distance + self.delays)
        x, targets = np.zeros((count, timesteps, 1)), np.zeros((count, timesteps, 2))
        delays = rng.integers(0, self.delays, (count, self.spikes - 1))
        times = rng.integers(0, self.delays, (count, 1))
        times = np.cumsum(np.concatenate([times, distance + delays], axis=1), axis=1)
        rows = np.arange(count)[:, None]
        x[rows, times] = 1
        targets[rows, times[:, 1:], 0] = delays / 10
        targets[rows, times[:, 1:], 1] = 1
        return x.astype("float32"), targets.astype("float32")

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        errors = np.abs(outputs[..., 0] - targets[..., 0]) * targets[..., 1]
        return float(np.mean((errors < 0.05).all(axis=1)))


class Generating(_Timing):
    """Generating timed spikes, after task GTS of Gers, Schraudolph & Schmidhuber (2002).

    The input signal is (I + 1) / 10 with I from 0 to 9. The target is a spike F + I steps later,
    with the distance F. Before the next signal there is a pause of up to 9 steps. A sequence has
    three signals.
    """

    distances = (30,)
    signals, delays = 3, 10

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return signals and target spikes, both `(count, timesteps, 1)`."""
        x, targets = np.zeros((2, count, self.signals * (distance + 2 * self.delays), 1))
        rows: Any = np.arange(count)
        now: Any = 0
        for _ in range(self.signals):
            signal = now + rng.integers(0, self.delays, count)
            delay = rng.integers(0, self.delays, count)
            spike = signal + distance + delay
            x[rows, signal, 0] = (delay + 1) / 10
            targets[rows, spike, 0] = 1
            now = spike + 1
        return x.astype("float32"), targets.astype("float32")


class Doubling(_Timing):
    """Two input spikes D steps apart; the target is a third spike D steps after the second.

    D is 30 to `distance`. The first spike is within the first twenty steps. A sequence is solved
    if the output is highest at the target step.
    """

    distances = (60,)
    first, shortest = 20, 30
    steps = 8000

    def examples(self, rng: np.random.Generator, count: int, distance: int) -> Arrays:
        """Return input spikes and target spikes, both `(count, timesteps, 1)`."""
        x, targets = np.zeros((2, count, self.first + 2 * distance + 10, 1))
        rows = np.arange(count)
        start = rng.integers(0, self.first, count)
        delay = rng.integers(self.shortest, distance + 1, count)
        x[rows, start, 0] = x[rows, start + delay, 0] = 1
        targets[rows, start + 2 * delay, 0] = 1
        return x.astype("float32"), targets.astype("float32")

    def score(self, targets: np.ndarray, outputs: np.ndarray) -> float:
        """Return the score of some outputs."""
        return float(np.mean(outputs[..., 0].argmax(axis=1) == targets[..., 0].argmax(axis=1)))


TASKS: dict[str, Any] = {
    "adding": Adding(),
    "copying": Copying(),
    "agreement": Agreement(),
    "measuring": Measuring(),
    "generating": Generating(),
    "doubling": Doubling(),
}


def _one_hot(ids: np.ndarray, size: int) -> np.ndarray:
    return np.eye(size, dtype="float32")[ids]
