"""Shows how far a training is, or a search."""

import contextlib
import time

import keras
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from keras_seq.train.metrics import numbers


class Progress(keras.callbacks.Callback):
    """One bar over all epochs with the running loss, and a line of metrics after every epoch.

    Args:
        run_callback: `RunCallback`, which is called first.
    """

    def __init__(self, run_callback):
        super().__init__()
        self.run_callback, self.epochs = run_callback, run_callback.epochs
        self.bar = Bar(
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]:.4f}"),
            TimeRemainingColumn(),
            console=Console(highlight=False, soft_wrap=True),
        )

    def on_train_begin(self, logs=None):
        done, steps_per_epoch = self.run_callback.epochs_done, self.params["steps"]
        self.task = self.bar.add_task(
            "",
            total=self.epochs * steps_per_epoch,
            completed=done * steps_per_epoch,
            epoch=done,
            epochs=self.epochs,
            loss=float("nan"),
        )
        self.bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()
        self.bar.update(self.task, epoch=epoch + 1)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.update(self.task, advance=1, loss=float(logs["loss"]))

    def on_epoch_end(self, epoch, logs=None):
        row = self.run_callback.history[-1]
        shown = {k: v for k, v in numbers(row).items() if k not in ("epoch", "seconds")}
        metrics = [f"{name} {value:.4f}" for name, value in shown.items()]
        seconds = time.perf_counter() - self.began
        self.bar.console.print(
            f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}  "
            + "  ".join(metrics)
            + f"  {seconds:.1f} s"
        )

    def on_train_end(self, logs=None):
        self.bar.stop()


@contextlib.contextmanager
def trial_progress(total):
    """Shows one bar over all trials of a search, with lines above it.

    Args:
        total: How many trials there are.

    Yields:
        A function of how many are done, which may have a fraction, and of a line to print, if any.
    """
    columns = (TextColumn("trials"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(highlight=False, soft_wrap=True)
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("", total=total)

        def on_progress(done, line=None):
            if line is not None:
                console.print(line, markup=False)
            bar.update(task, completed=done)

        yield on_progress
