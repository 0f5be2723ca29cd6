"""Training of one cell on one task, on new random sequences in every step."""

import time
from typing import Any

import keras
import numpy as np
from keras import ops

import keras_seq
from benchmarks import page
from benchmarks.memory_tasks.tasks import TASKS, Task
from keras_seq import cells, layers
from keras_seq._internal.types import Tensor
from keras_seq.train.optimizers import adam_w

CELLS = ("SimpleRNN", "GRU", "LSTM", "PeepholeLSTM", "DiagonalPeepholeLSTM")
BATCH_SIZE = 64
VALIDATION_STEPS = 100
"""Number of training steps between two validations."""
NUM_TEST = 1000
"""Number of sequences for validation, and for the test."""


def train(name: str, distance: int, cell: str, seed: int, steps: int | None = None) -> page.Row:
    """Train a cell on a task, and test it once at the end.

    Training ends when all validation sequences are right or their error is half of the required
    one, at the latest after `steps`.

    Returns:
        Row for `benchmarks/results/memory_tasks.json`: the settings, the test score, the validation
        scores over training, CPU seconds and, for the adding problem, the gradient over the
        distance with Keras's initialization, before training and after training.
    """
    task: Task = TASKS[name]
    start_time = time.process_time()
    steps = steps or task.steps
    training, validation, test = (np.random.default_rng([seed, part]) for part in range(3))
    held_out = task.examples(validation, NUM_TEST, distance)
    keras.utils.set_random_seed(seed)
    model = build_model(task, cell, held_out[0].shape[1:], steps)
    row: page.Row = {"task": name, "distance": distance, "cell": cell, "seed": seed}
    gradients = {}
    if name == "adding":
        gradients["default_init"] = gradient_over_distance(model, held_out[0])
    if task.chrono:
        set_chrono_bias(model.get_layer("memory").cell, distance, seed)
    if gradients:
        gradients["chrono_init"] = gradient_over_distance(model, held_out[0])
    curve = []
    for step in range(VALIDATION_STEPS, steps + 1, VALIDATION_STEPS):
        x, y = task.examples(training, VALIDATION_STEPS * BATCH_SIZE, distance)
        model.fit(x, y, batch_size=BATCH_SIZE, shuffle=False, verbose=0)
        score = evaluate(task, model, *held_out)
        curve.append([step, score])
        if score <= 0.5 * task.solved if task.mode == "min" else score >= 1.0:
            break
    score = evaluate(task, model, *task.examples(test, NUM_TEST, distance))
    if gradients:
        gradients["trained"] = gradient_over_distance(model, held_out[0])
        row["gradients"] = gradients
    return {
        **row,
        "score": score,
        "solved": score <= task.solved if task.mode == "min" else score >= task.solved,
        "steps": step,
        "curve": curve,
        "cpu_seconds": time.process_time() - start_time,
    }


def build_model(task: Task, cell: str, shape: tuple[int, ...], steps: int) -> keras.Model:
    """Return a compiled model with one recurrent layer and a Dense layer."""
    arguments: dict[str, Any] = {"return_sequences": task.every_step, "name": "memory"}
    if cell == "DiagonalPeepholeLSTM":
        arguments["peephole_initializer"] = "zeros"
    layer = getattr(layers, cell)(task.units, **arguments)
    model = keras.Sequential([keras.Input(shape), layer, keras.layers.Dense(task.outputs)])
    loss = {
        "mse": "mse",
        "marked": masked_squared_error,
        "binary": keras.losses.BinaryCrossentropy(from_logits=True),
        "crossentropy": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }[task.loss]
    model.compile(adam_w(task.learning_rate, steps, weight_decay=0.0), loss=loss)
    return model


def set_chrono_bias(cell: keras.layers.Layer, timesteps: int, seed: int) -> None:
    """Initialize the gate biases for time scales of 2 to `timesteps` steps.

    Chrono initialization, Tallec & Ollivier (2018). SimpleRNN has no gates and is not changed.
    """
    units, bias = cell.units, ops.convert_to_numpy(cell.bias).copy()
    keeps = np.log(np.random.default_rng(seed).uniform(1, timesteps - 1, units))
    if isinstance(cell, cells.GRUCell):
        bias[0, :units] = keeps
    elif not isinstance(cell, cells.SimpleRNNCell):
        bias[:units], bias[units : 2 * units] = -keeps, keeps
    cell.bias.assign(bias)


def masked_squared_error(targets: Tensor, outputs: Tensor) -> Tensor:
    """Return the mean squared error over the steps where the second target channel is 1."""
    mask = targets[..., 1]
    return ops.sum(mask * ops.square(outputs[..., 0] - targets[..., 0])) / ops.sum(mask)


def evaluate(task: Task, model: keras.Model, x: np.ndarray, targets: np.ndarray) -> float:
    """Return the score of a model on some sequences."""
    return task.score(targets, model.predict(x, batch_size=250, verbose=0))


def gradient_over_distance(
    model: keras.Model, x: np.ndarray, num_sequences: int = 16, num_points: int = 50
) -> list[list[float]]:
    """Return pairs of distance to the last step, and norm of the gradient of the state there.

    The gradient is that of the summed outputs with respect to h, and c if there is one. The norms
    are means over the sequences, relative to the last step.
    """
    gradients = keras_seq.trace(model, x[:num_sequences]).gradient_norms(ops.sum)["memory"]
    norms = np.linalg.norm(list(gradients.values()), axis=0).mean(axis=0)[::-1]
    distances = np.unique(np.linspace(0, len(norms) - 1, num_points).astype(int))
    return [[int(distance), float(norms[distance] / norms[0])] for distance in distances]
