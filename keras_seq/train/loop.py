"""Trains a recipe: from its config to a finished run."""

import contextlib
import functools
import math
import time

import keras

from keras_seq._internal.errors import InputError
from keras_seq._internal.files import atomic_write
from keras_seq.batching import epochs_of_batches
from keras_seq.train import fingerprints, plots, state
from keras_seq.train import recipe as recipe_module
from keras_seq.train.progress import Progress


def train(recipe, named, preset, config, run, command, test=True, devices=None):
    """Trains, evaluates and saves; goes on from the run's checkpoint if there is one.

    Args:
        recipe: A `keras_seq.train.recipe.Recipe`.
        named: What `keras_seq.train.recipe.find` finds the recipe by.
        preset: Name of the preset that the config was derived from.
        config: The recipe's Config.
        run: A `keras_seq.train.runs.Run`, free or interrupted.
        command: The command line, noted in the metrics.
        test: Whether to read the test split; if not, pictures are of the validation split.
        devices: `keras_seq.train.distribution.Devices` to train on, if not where TensorFlow does.

    Returns:
        The metrics that are written to metrics.json; None, if another worker writes them.
    """
    model, keeper = fit(recipe, named, preset, config, run, Progress, test=test, devices=devices)
    if devices is not None and not devices.chief:
        devices.wait()
        return None
    splits = keeper.splits
    if keeper.best_weights is not None:
        model.set_weights(keeper.best_weights)
    shown = next(name for name in ("test", "validation", "train") if name in splits)
    measured = recipe.show(model, splits, shown, run.folder)
    plots.learning_curve(keeper.history, config.objective, run.folder / "learning_curve.png")
    with atomic_write(run.model_path) as path:
        model.save(path)
    metrics = {
        "recipe": recipe.name,
        "preset": preset,
        "seed": config.seed,
        **{
            split: recipe.evaluate(model, splits, split)
            for split in ("validation", "test")
            if split in splits
        },
        **({"shown": measured} if measured else {}),
        "epochs": keeper.epochs,
        "kept_epoch": keeper.best_epoch or keeper.epochs,
        "parameters": model.count_params(),
        "seconds": round(keeper.seconds(), 1),
        "versions": fingerprints.versions(),
        "command": command,
    }
    run.finish(metrics)
    if devices is not None:
        with contextlib.suppress(InputError):  # what the others do now does not matter
            devices.wait()
    return metrics


def fit(recipe, named, preset, config, run, watch, *, share=1.0, test=True, devices=None):
    """Trains, or goes on from the run's checkpoint, and leaves a checkpoint behind.

    Args:
        recipe, named, preset, config, run, test, devices: As for `train`.
        watch: Makes of the Keeper a callback, which is called after it.
        share: Of the training, after which to stop; the schedules are those of the whole.

    Returns:
        The model as it is after the last epoch, and its `Keeper`.
    """
    started = time.perf_counter()
    if devices is not None:
        devices.check(config.batch_size)
    splits = recipe.load(config)
    current = fingerprints.fingerprint(recipe, splits)
    if run.started:
        fingerprints.check(run.fingerprint, current, recipe, run.folder)
    if not test:
        splits.pop("test", None)
    if "train" not in splits:
        raise InputError(f"The data {config.data!r} is so small that it has no training examples.")

    def build():
        keras.utils.set_random_seed(config.seed)  # after loading, which may draw random numbers
        return recipe.build(config, splits["train"])

    model = build()
    examples = recipe.arrays(model, splits["train"])
    chief = devices is None or devices.chief
    if chief and not run.started:
        folder = named if recipe_module.is_folder(named) else None
        run.start(recipe.name, preset, config, current, folder)
    updates_an_epoch = math.ceil(examples.count / config.batch_size)
    epochs = max(1, round(config.updates / updates_an_epoch))
    keeper = Keeper(run, recipe, config, splits, model, epochs, started)
    keeper.restore()
    last = max(1, round(share * epochs))
    batches = functools.partial(
        epochs_of_batches, examples, config.batch_size, config.seed, keeper.epochs_done, last
    )
    if keeper.epochs_done < last:
        how = {
            "steps_per_epoch": updates_an_epoch,
            "initial_epoch": keeper.epochs_done,
            "epochs": last,
            "callbacks": [keeper, watch(keeper)] if chief else [],
            "shuffle": False,  # the batches come in an order of their own
            "verbose": 0,
        }
        if devices is None:
            model.fit(batches(), **how)
        else:
            alike = {
                "seed": config.seed,
                "batch size": config.batch_size,
                "number of examples": examples.count,
                "number of weights": model.count_params(),
                "number of epochs": last,
                "number of epochs done": keeper.epochs_done,
            }
            devices.fit(model, build, examples, batches, alike, **how)
    return model, keeper


class Keeper(keras.callbacks.Callback):
    """After every epoch: measures the held-out splits, keeps the best weights, saves a checkpoint.

    Args:
        run: The run whose checkpoint it reads and writes.
        recipe: The `keras_seq.train.recipe.Recipe`, which measures.
        config: The recipe's Config.
        splits: As the recipe loads them.
        measured: The model to measure and to save: that which is trained, or one with the same
            weights after every epoch.
        epochs: Of the whole training.
        started: `time.perf_counter()` when this process began to work on the run.
    """

    def __init__(self, run, recipe, config, splits, measured, epochs, started):
        super().__init__()
        self.run, self.recipe, self.config = run, recipe, config
        self.splits, self.measured = splits, measured
        self.epochs, self.started = epochs, started
        self.history = []
        self.best_weights, self.best_epoch, self.best = None, None, -math.inf
        self.seconds_before = 0.0

    @property
    def epochs_done(self):
        return len(self.history)

    def seconds(self):
        """Seconds spent on the run, those before an interruption included."""
        return self.seconds_before + time.perf_counter() - self.started

    def restore(self):
        """Puts the model, its optimizer and this object back to where the checkpoint stands."""
        checkpoint = self.run.read_checkpoint()
        if checkpoint is None:
            return
        arrays, progress = checkpoint
        if not state.fits(self.measured, arrays["variables"]):
            raise InputError(
                f"The checkpoint of {self.run.folder} is of another model than the recipe builds "
                "now: go on with the packages and files that it was started with, or start another "
                "run with --run."
            )
        state.assign(self.measured, arrays["variables"])
        self.best_weights = arrays.get("best_weights")
        self.history, self.best_epoch = progress["history"], progress["best_epoch"]
        self.best, self.seconds_before = progress["best"], progress["seconds"]

    def on_epoch_end(self, epoch, logs=None):
        if self.model is not self.measured:
            state.assign(self.measured, state.values(self.model))
        row = {"epoch": epoch + 1, **{name: float(value) for name, value in logs.items()}}
        row |= self.measure("validation", "val_")
        if self.config.test_every_epoch:
            row |= self.measure("test", "test_")
        row["seconds"] = round(self.seconds(), 1)
        self.history.append(row)
        score = -math.inf
        if (name := f"val_{self.config.objective}") in row:
            score = -row[name] if self.config.less_is_better else row[name]
        if self.config.keep_best and score >= self.best:
            self.best, self.best_epoch = score, epoch + 1
            self.best_weights = self.measured.get_weights()
        self.save()

    def measure(self, split, prefix):
        if split not in self.splits:
            return {}
        metrics = self.recipe.evaluate(self.measured, self.splits, split)
        return {prefix + name: float(value) for name, value in metrics.items()}

    def save(self):
        arrays = {"variables": state.values(self.measured)}
        if self.best_weights is not None:
            arrays["best_weights"] = self.best_weights
        progress = {
            "history": self.history,
            "best_epoch": self.best_epoch,
            "best": self.best,
            "seconds": self.seconds(),
        }
        self.run.write_history(self.history)
        self.run.write_checkpoint(arrays, progress)


def adam_w(learning_rate, updates, weight_decay=0.01):
    """The optimizer of the recipes: Adam with decoupled weight decay (Loshchilov & Hutter 2019).

    Gradients whose norm, over all weights, is more than 1 are scaled down to it.

    Args:
        learning_rate: The highest of `warm_up_and_cosine`.
        updates: Optimizer steps in all.
        weight_decay: Of all weights, an update, in units of the learning rate.
    """
    return keras.optimizers.AdamW(
        warm_up_and_cosine(learning_rate, updates), weight_decay=weight_decay, global_clipnorm=1.0
    )


def muon(learning_rate, updates, weight_decay, output):
    """Muon (Jordan et al. 2024; scaled as by Liu et al. 2025), for kernels that are matrices.

    What is taken off a kernel is the orthogonal matrix nearest to the mean of its gradients, times
    0.2 and the root of its longer side: so no direction of what it multiplies changes faster than
    another. All other weights, and the output layer, are left to Adam, as by `adam_w`.

    Args:
        learning_rate, updates, weight_decay: As of `adam_w`.
        output: Name of the output layer.
    """
    return keras.optimizers.Muon(
        warm_up_and_cosine(learning_rate, updates),
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        global_clipnorm=1.0,
        exclude_layers=[output],
    )


def warm_up_and_cosine(learning_rate, updates):
    """A learning rate that rises for a twentieth of the updates, then falls as a cosine to zero.

    Args:
        learning_rate: The highest.
        updates: Optimizer steps in all.
    """
    warm_up = updates // 20
    return keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, updates - warm_up, warmup_target=learning_rate, warmup_steps=warm_up
    )
