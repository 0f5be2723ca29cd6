"""Controls without temporal order for the recipe `video`: `python -m benchmarks.video_controls`.

Accuracy of a finished run on the validation split; on clips with shuffled frames; on reversed
clips, where moving left becomes moving right; and of the same model trained and tested on single
frames. Writes `benchmarks/results/video_controls.json`.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from benchmarks import page
from keras_seq.batching import RawExamples, make_batches
from keras_seq.train import runs
from keras_seq.train.loop import plan_epochs

REVERSED_LABELS = [
    ("left", "right"),
    ("up", "down"),
    (" clockwise", " counter-clockwise"),
    ("growing", "shrinking"),
]
NUM_FRAMES = 4
"""Number of frames per training clip for the single-frame model."""

Clips = Sequence[np.ndarray]


def main() -> None:
    """Train the single-frame model, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/video/default"))
    recipe, config, model = runs.Run(parser.parse_args().run).load()
    splits = recipe.load(config)
    clips, labels = splits["validation"].inputs, splits["validation"].targets
    random = np.random.default_rng(config.seed)
    rows: list[page.Row] = []

    def add(name: str, clips: Clips, labels: Sequence[str], model: Any = model) -> None:
        examples = {"validation": RawExamples(clips, labels)}
        rows.append({"clips": name, **recipe.evaluate(model, examples, "validation")})
        print(rows[-1], flush=True)

    add("unchanged", clips, labels)
    add("shuffled frames", [random.permutation(clip) for clip in clips], labels)
    add("reversed, with reversed labels", [c[::-1] for c in clips], reverse_labels(labels))
    add("reversed, with original labels", [c[::-1] for c in clips], labels)
    single_frame_model = train_single_frame(recipe, config, splits["train"], random)
    add(
        "single frames, single-frame model",
        pick_frames(clips, 1, random),
        labels,
        single_frame_model,
    )
    rows.append({"clips": "chance level", "accuracy": 1 / len(model.labels)})
    page.write("video_controls", rows)


def reverse_labels(labels: Sequence[str]) -> list[str]:
    """Return the labels of reversed clips."""
    opposite = {label: label for label in labels}
    for first, second in REVERSED_LABELS:
        for label in opposite:
            if label.endswith(first):
                opposite[label] = label.removesuffix(first) + second
            elif label.endswith(second):
                opposite[label] = label.removesuffix(second) + first
    return [opposite[label] for label in labels]


def train_single_frame(
    recipe: Any, config: Any, train: RawExamples, random: np.random.Generator
) -> keras.Model:
    """Return a model trained on single frames of the training clips for equally many steps."""
    frames = pick_frames(train.inputs, NUM_FRAMES, random)
    train = RawExamples(frames, list(np.repeat(train.targets, NUM_FRAMES)))
    config = dataclasses.replace(config, batch_size=NUM_FRAMES * config.batch_size)
    keras.utils.set_random_seed(config.seed)
    model = recipe.build(config, train)
    examples = recipe.encode(model, train)
    steps = -(-len(examples) // config.batch_size)
    epochs, _ = plan_epochs(config, steps)
    batches = make_batches(examples, config.batch_size, config.seed, 0, epochs)
    model.fit(batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0)
    return model


def pick_frames(clips: Clips, count: int, random: np.random.Generator) -> Clips:
    """Return `count` clips of one random frame for each clip."""
    return [clip[i : i + 1] for clip in clips for i in random.integers(0, len(clip), count)]


if __name__ == "__main__":
    main()
