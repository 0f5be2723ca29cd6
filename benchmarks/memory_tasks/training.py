"""One cell learns one task, from sequences that never come twice."""

import time

import keras
import numpy as np
from keras import ops

import keras_seq
from benchmarks.memory_tasks.tasks import TASKS
from keras_seq import cells, layers
from keras_seq.train.optimizers import adam_w

CELLS = ("SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM")
BATCH, ROUND, JUDGED = 64, 100, 1000
"""Sequences an update, updates between two looks at the validation sequences, how many these are;
as many are the test."""


def row(task, distance, cell, seed, updates=None):
    """Trains and tests.

    It ends when all validation sequences are right, or their error is half of what the task asks
    for, or after `updates`; the test sequences are read once, at the end.

    Returns:
        A dict for `benchmarks/results/memory_tasks.json`: what was run, the figure on the test
        sequences, that of the validation sequences over the updates, CPU seconds, and, of the
        problem of adding, the gradient over the distance: of a layer as Keras begins it, of this
        one before it has learnt, and after.
    """
    name, task, started = task, TASKS[task], time.process_time()
    updates = updates or task.updates
    train, validation, test = (np.random.default_rng([seed, part]) for part in range(3))
    held_out = task.examples(validation, JUDGED, distance)
    keras.utils.set_random_seed(seed)
    model = model_of(task, cell, held_out[0].shape[1:], updates)
    found = {"task": name, "distance": distance, "cell": cell, "seed": seed}
    gradients = {"by default": over_distance(model, held_out[0])} if name == "adding" else {}
    if task.chrono:
        set_chrono(model.get_layer("memory").cell, distance, seed)
    if gradients:
        gradients["at the start"] = over_distance(model, held_out[0])
    curve = []
    for done in range(ROUND, updates + 1, ROUND):
        x, y = task.examples(train, ROUND * BATCH, distance)
        model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)
        curve.append([done, judged(task, model, *held_out)])
        best = 0.5 * task.solved if task.less_is_better else 1.0
        if (curve[-1][1] <= best) if task.less_is_better else (curve[-1][1] >= best):
            break
    figure = judged(task, model, *task.examples(test, JUDGED, distance))
    if gradients:
        gradients["after training"] = over_distance(model, held_out[0])
        found["gradients"] = gradients
    return {
        **found,
        "figure": figure,
        "solved": figure <= task.solved if task.less_is_better else figure >= task.solved,
        "updates": done,
        "curve": curve,
        "cpu seconds": time.process_time() - started,
    }


def model_of(task, cell, shape, updates):
    """One recurrent layer and what answers from its outputs."""
    arguments = {"return_sequences": task.every_step, "name": "memory"}
    if cell == "DiagonalPeepholeLSTM":
        arguments["peephole_initializer"] = "zeros"
    layer = getattr(layers, cell)(task.units, **arguments)
    model = keras.Sequential([keras.Input(shape), layer, keras.layers.Dense(task.outputs)])
    loss = {
        "mse": "mse",
        "marked": of_what_is_due,
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
        "crossentropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }[task.loss]
    model.compile(adam_w(task.rate, updates, weight_decay=0.0), loss=loss)
    return model


def set_chrono(cell, timesteps, seed):
    """Begins with gates that forget, without input, over 2 to `timesteps` steps.

    Chrono initialisation, Tallec & Ollivier (2018). SimpleRNN has no such gate, and stays.
    """
    units, bias = cell.units, ops.convert_to_numpy(cell.bias).copy()
    keeps = np.log(np.random.default_rng(seed).uniform(1, timesteps - 1, units))
    if isinstance(cell, cells.GRUCell):
        bias[0, :units] = keeps
    elif not isinstance(cell, cells.SimpleRNNCell):
        bias[:units], bias[units : 2 * units] = -keeps, keeps
    cell.bias.assign(bias)


def of_what_is_due(targets, outputs):
    """The squared error where the second number of the targets is 1, and nothing elsewhere."""
    due = targets[..., 1]
    return ops.sum(due * ops.square(outputs[..., 0] - targets[..., 0])) / ops.sum(due)


def judged(task, model, x, targets):
    """The task's figure."""
    return task.judge(targets, model.predict(x, batch_size=250, verbose=0))


def over_distance(model, x, sequences=16, points=50):
    """How much the answer depends on the state so many steps before it: [distance, norm] pairs.

    The norm of the gradient for all of the state (h, and c where there is one), its mean over
    some sequences, over that for the last one.
    """
    gradients = keras_seq.trace(model, x[:sequences]).gradient_norms(ops.sum)["memory"]
    norms = np.linalg.norm(list(gradients.values()), axis=0).mean(axis=0)[::-1]
    picked = np.unique(np.linspace(0, len(norms) - 1, points).astype(int))
    return [[int(distance), float(norms[distance] / norms[0])] for distance in picked]
