"""What the recipe `video` sees without time: `python -m benchmarks.video_controls`.

Of a finished run of the default, the accuracy on the validation split as it is; with the frames of
each clip shuffled; and played backwards, where moving left is moving right. Beside it a model of
the same make that learns from single frames and sees one. Writes
`benchmarks/results/video_controls.json`.
"""

import argparse
import dataclasses
from pathlib import Path

import keras
import numpy as np

from benchmarks import page
from keras_seq.batching import RawExamples, make_batches
from keras_seq.train import runs

BACKWARDS = [
    ("left", "right"),
    ("up", "down"),
    (" clockwise", " counter-clockwise"),
    ("growing", "shrinking"),
]
FRAMES = 4
"""Of each training clip that the model of single frames learns from."""


def main():
    """Measures, trains, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, default=Path("runs/video/default"))
    recipe, config, model = runs.Run(parser.parse_args().run).load()
    splits = recipe.load(config)
    clips, labels = splits["validation"].inputs, splits["validation"].targets
    random = np.random.default_rng(config.seed)
    rows = []

    def add(what, clips, labels, model=model):
        found = recipe.evaluate(model, {"validation": RawExamples(clips, labels)}, "validation")
        rows.append({"clips": what, **found})
        print(rows[-1], flush=True)

    add("as they are", clips, labels)
    add("frames shuffled", [random.permutation(clip) for clip in clips], labels)
    add("played backwards, by what they then show", [c[::-1] for c in clips], backwards(labels))
    add("played backwards, by what they showed", [c[::-1] for c in clips], labels)
    alone = one_frame(recipe, config, splits["train"], random)
    add("one frame, for a model of single frames", single(clips, 1, random), labels, alone)
    rows.append({"clips": "by chance", "accuracy": 1 / len(model.labels)})
    page.write("video_controls", rows)


def backwards(labels):
    """What clips show when they are played backwards."""
    opposite = {label: label for label in labels}
    for one, other in BACKWARDS:
        for label in opposite:
            if label.endswith(one):
                opposite[label] = label.removesuffix(one) + other
            elif label.endswith(other):
                opposite[label] = label.removesuffix(other) + one
    return [opposite[label] for label in labels]


def one_frame(recipe, config, train, random):
    """A model that has learnt from single frames of the training clips, for as many steps."""
    frames = single(train.inputs, FRAMES, random)
    train = RawExamples(frames, list(np.repeat(train.targets, FRAMES)))
    config = dataclasses.replace(config, batch_size=FRAMES * config.batch_size)
    keras.utils.set_random_seed(config.seed)
    model = recipe.build(config, train)
    examples = recipe.encode(model, train)
    steps = -(-len(examples) // config.batch_size)
    epochs = max(1, round(config.steps / steps))
    batches = make_batches(examples, config.batch_size, config.seed, 0, epochs)
    model.fit(batches, steps_per_epoch=steps, epochs=epochs, shuffle=False, verbose=0)
    return model


def single(clips, count, random):
    """So many clips of one frame from each, chosen at random."""
    return [clip[i : i + 1] for clip in clips for i in random.integers(0, len(clip), count)]


if __name__ == "__main__":
    main()
