"""Sequences whose answer lies far back, made as they are needed, and how an answer is judged."""

import numpy as np


class Adding:
    """The sum of the two numbers that are marked, one in each half of the sequence.

    Hochreiter & Schmidhuber (1997), in the form of Arjovsky, Shah & Bengio (2016): numbers from 0
    to 1 beside a mark that is 0 or 1. Who always says 1 has a mean squared error of 1/6.
    """

    figure = "mean squared error"
    distances, seeds = (50, 200, 400, 1000), (0,)
    outputs, every_step, loss = 1, False, "mse"
    units, rate, updates = 64, 3e-3, 4000
    chrono = True
    solved, less_is_better = 1e-3, True

    def examples(self, rng, count, distance):
        """Sequences (count, distance, 2) and their sums (count, 1)."""
        numbers, marks = rng.random((count, distance)), np.zeros((count, distance))
        rows, half = np.arange(count), distance // 2
        marks[rows, rng.integers(0, half, count)] = 1
        marks[rows, rng.integers(half, distance, count)] = 1
        x = np.stack([numbers, marks], axis=-1)
        return x.astype("float32"), (numbers * marks).sum(axis=1, keepdims=True).astype("float32")

    def judge(self, targets, outputs):
        return float(np.mean((targets - outputs) ** 2))


class Copying:
    """Ten symbols, a long nothing, a sign, and then the ten symbols again.

    Arjovsky, Shah & Bengio (2016). 0 is nothing, 1 to 8 are the symbols, 9 is the sign; it stands
    where the last of the nothing would, and the answer begins one step later.
    """

    figure = "share of symbols right"
    distances, seeds = (10, 25, 50, 100, 200), (0,)
    outputs, every_step, loss = 9, True, "crossentropy"
    units, rate, updates = 64, 3e-3, 4000
    chrono = True
    solved, less_is_better = 0.99, False
    length, symbols = 10, 8

    def examples(self, rng, count, distance):
        """One-hot sequences (count, distance + 20, 10) and what to say (count, distance + 20)."""
        said = rng.integers(1, self.symbols + 1, (count, self.length))
        ids = np.zeros((count, distance + 2 * self.length), "int64")
        targets = ids.copy()
        ids[:, : self.length] = targets[:, -self.length :] = said
        ids[:, -self.length - 1] = self.symbols + 1
        return _one_hot(ids, self.symbols + 2), targets

    def judge(self, targets, outputs):
        right = outputs.argmax(axis=-1) == targets
        return float(right[:, -self.length :].mean())


class Agreement:
    """The cat, which already ate ..., "was" full; the cats ... "were" full.

    The verb at the end agrees with the second word; between them are other nouns, which may be of
    the other number, and words that have none. `distance` is how many words lie between the
    noun and the verb.
    """

    figure = "share of verbs right"
    distances, seeds = (10, 50, 100, 200, 400), (0,)
    outputs, every_step, loss = 1, False, "binary"
    units, rate, updates = 32, 3e-3, 3000
    chrono = True
    solved, less_is_better = 0.99, False
    between = ("which", "already", "ate", "near", "a", "delicious", "with", "and", "that", "often")
    words = ("the", "cat", "cats", "dog", "dogs", "friend", "friends", *between)
    verbs = ("was", "were")

    def examples(self, rng, count, distance):
        """One-hot words (count, distance + 2, words) and 1 for "were" (count, 1)."""
        many = rng.integers(0, 2, (count, 1))
        # A fifth of the words between are nouns that the verb has nothing to do with.
        others = rng.integers(3, 7, (count, distance))
        plain = rng.integers(7, len(self.words), (count, distance))
        rest = np.where(rng.random((count, distance)) < 0.2, others, plain)
        ids = np.concatenate([np.zeros_like(many), 1 + many, rest], axis=1)
        return _one_hot(ids, len(self.words)), many.astype("float32")

    def judge(self, targets, outputs):
        return float(np.mean((outputs > 0) == (targets > 0.5)))


class _Timing:
    """Answers at the right time. A sequence is solved when it is right at every time step."""

    figure = "share of sequences solved"
    outputs, every_step, loss = 1, True, "binary"
    units, rate, updates = 32, 1e-2, 4000
    chrono = False
    solved, less_is_better = 0.998, False
    seeds = (0, 1, 2)

    def judge(self, targets, outputs):
        return float(np.mean(((outputs > 0) == (targets > 0.5)).all(axis=(1, 2))))


class Measuring(_Timing):
    """How long was it since the spike before? At every spike the answer is due.

    After Gers, Schraudolph & Schmidhuber (2002), task MSD: spikes come F + I time steps apart, F
    the distance and I from 0 to 9, and at each but the first the answer is I / 10. A sequence, of
    five spikes, is solved when every answer is nearer to the right one than to any other.
    """

    distances = (10, 30)
    loss, spikes, delays = "marked", 5, 10
    units, updates = 8, 6000

    def examples(self, rng, count, distance):
        """Spikes (count, timesteps, 1); answers and whether one is due (count, timesteps, 2)."""
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

    def judge(self, targets, outputs):
        off = np.abs(outputs[..., 0] - targets[..., 0]) * targets[..., 1]
        return float(np.mean((off < 0.05).all(axis=1)))


class Generating(_Timing):
    """A spike as long after a signal as the signal says, three times in a sequence.

    After Gers, Schraudolph & Schmidhuber (2002), task GTS: the signal is of the size (I + 1) / 10,
    I from 0 to 9, the spike is due F + I time steps later, F the distance; a pause of up to 9
    steps, so that the next signal does not give the spike away.
    """

    distances = (30,)
    signals, delays = 3, 10

    def examples(self, rng, count, distance):
        """Signals (count, timesteps, 1) and spikes (count, timesteps, 1)."""
        x, targets = np.zeros((2, count, self.signals * (distance + 2 * self.delays), 1))
        rows, now = np.arange(count), 0
        for _ in range(self.signals):
            signal = now + rng.integers(0, self.delays, count)
            delay = rng.integers(0, self.delays, count)
            spike = signal + distance + delay
            x[rows, signal, 0] = (delay + 1) / 10
            targets[rows, spike, 0] = 1
            now = spike + 1
        return x.astype("float32"), targets.astype("float32")


class Doubling(_Timing):
    """Two spikes, D steps apart; the answer is a third one, D steps after the second.

    D is from 30 to `distance`; the first spike comes within the first twenty steps. A sequence is
    solved when the output is highest at the one right step.
    """

    distances = (60,)
    first, shortest = 20, 30
    updates = 8000

    def examples(self, rng, count, distance):
        """Spikes (count, timesteps, 1) and the one that is due (count, timesteps, 1)."""
        x, targets = np.zeros((2, count, self.first + 2 * distance + 10, 1))
        rows = np.arange(count)
        begin = rng.integers(0, self.first, count)
        delay = rng.integers(self.shortest, distance + 1, count)
        x[rows, begin, 0] = x[rows, begin + delay, 0] = 1
        targets[rows, begin + 2 * delay, 0] = 1
        return x.astype("float32"), targets.astype("float32")

    def judge(self, targets, outputs):
        return float(np.mean(outputs[..., 0].argmax(axis=1) == targets[..., 0].argmax(axis=1)))


TASKS = {
    "adding": Adding(),
    "copying": Copying(),
    "agreement": Agreement(),
    "measuring": Measuring(),
    "generating": Generating(),
    "doubling": Doubling(),
}


def _one_hot(ids, size):
    return np.eye(size, dtype="float32")[ids]
