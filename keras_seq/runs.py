"""The folder of a run: what is in it, and how it is written so that no half file stays behind."""

import contextlib
import csv
import dataclasses
import importlib.metadata
import json
import platform
import shutil
import tempfile
from pathlib import Path

import numpy as np

from keras_seq import quiet
from keras_seq import recipe as recipe_module
from keras_seq._internal import leftovers
from keras_seq.errors import InputError

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None  # type: ignore[assignment]


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run on disk.

    - `config.json`: recipe, preset and every field of the config;
    - `history.csv`: a row an epoch; `learning_curve.png`: the same as a picture;
    - `checkpoint.npz`: all that a resumed run needs; gone when the run has finished;
    - `model.keras`, `metrics.json`: the result; `metrics.json` is written last.
    """

    folder: Path

    @property
    def finished(self):
        return (self.folder / "metrics.json").exists()

    @property
    def started(self):
        return (self.folder / "config.json").exists()

    @property
    def model_path(self):
        return self.folder / "model.keras"

    @property
    def metrics(self):
        return json.loads((self.folder / "metrics.json").read_text())

    def check_free(self):
        """Refuses a folder in which a run lies already.

        Raises:
            InputError: So it is.
        """
        if self.finished:
            raise InputError(f"{self.folder} holds a finished run; choose another name with --run.")
        if self.started:
            raise InputError(
                f"{self.folder} holds an interrupted run; go on with --resume, or choose another "
                "name with --run."
            )

    def start(self, recipe, preset, config):
        """Makes the folder and notes what runs in it."""
        content = {"recipe": recipe, "preset": preset, "config": dataclasses.asdict(config)}
        self.write_json("config.json", content)

    def read_config(self):
        """The recipe, preset name and Config that the run was started with."""
        path = self.folder / "config.json"
        if not path.exists():
            raise InputError(f"{self.folder} is no run: it has no config.json.")
        content = json.loads(path.read_text())
        recipe = recipe_module.find(content["recipe"])
        config = dataclasses.replace(recipe.preset("default"), **content["config"])
        return recipe, content["preset"], config

    def read_unfinished(self):
        """The preset name and Config of a run that was interrupted.

        Raises:
            InputError: It has finished, or never began.
        """
        if self.finished:
            raise InputError(f"{self.folder} holds a finished run; there is nothing to resume.")
        _, preset, config = self.read_config()
        return preset, config

    def load(self):
        """The recipe, Config and model of a finished run.

        Raises:
            InputError: It has not finished, or there is none.
        """
        recipe, _, config = self.read_config()
        if not self.finished:
            raise InputError(
                f"{self.folder} is not finished; `keras-seq train ... --resume` goes on."
            )
        quiet.import_backend()
        import keras

        import keras_seq.layers  # noqa: F401  (its classes must be known to load a model with them)

        recipe.import_model()
        return recipe, config, keras.saving.load_model(self.model_path)

    def write_json(self, name, content):
        """Writes a JSON file into the folder."""
        write_json(self.folder / name, content)

    def write_history(self, rows):
        """Rows are dicts with the same keys, one an epoch."""
        write_csv(self.folder / "history.csv", rows)

    def write_checkpoint(self, arrays, progress):
        """Saves lists of arrays by name, and what JSON can hold."""
        flat = {f"{name}/{i}": a for name, list_ in arrays.items() for i, a in enumerate(list_)}
        with replaced(self.folder / "checkpoint.npz") as path:
            np.savez(path, progress=np.array(json.dumps(progress)), **flat)

    def read_checkpoint(self):
        """What `write_checkpoint` saved last, or None."""
        path = self.folder / "checkpoint.npz"
        if not path.exists():
            return None
        with np.load(path) as file:
            progress = json.loads(str(file["progress"]))
            arrays = {}
            for key in file.files:
                if key != "progress":
                    name, _, index = key.rpartition("/")
                    arrays.setdefault(name, {})[int(index)] = file[key]
        return {name: [found[i] for i in sorted(found)] for name, found in arrays.items()}, progress

    def finish(self, metrics):
        """Writes the metrics, which makes the run a finished one."""
        self.write_json("metrics.json", metrics)
        (self.folder / "checkpoint.npz").unlink(missing_ok=True)


def versions():
    """Versions of what a result depends on."""
    packages = ("keras", "keras-seq", "numpy", "tensorflow")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def write_json(path, content):
    """Writes JSON at once or not at all."""
    with replaced(path) as new:
        new.write_text(json.dumps(content, indent=2) + "\n")


def write_csv(path, rows):
    """Writes dicts with the same keys as a table, at once or not at all."""
    with replaced(path) as new, new.open("w", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@contextlib.contextmanager
def alone(folder):
    """Keeps a folder for this process; however the process ends, that ends with it.

    Args:
        folder: A `Path`; the file "lock" in it, which is empty, stays.

    Raises:
        InputError: Another process keeps it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as file:
        try:
            if fcntl is not None:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"Another process is at work in {folder}.") from None
        except OSError:
            pass  # a file system without locks
        yield


class replaced:
    """A path to write to, beside the real one, which it replaces when all went well.

    What killed processes left beside the real one is removed.
    """

    def __init__(self, path):
        self.path = Path(path)

    def __enter__(self):
        parent = self.path.parent
        parent.mkdir(parents=True, exist_ok=True)
        leftovers.remove(parent, r"\.writing-\w{8}")
        # In a folder of its own, since what is written may depend on the name.
        self.folder = Path(tempfile.mkdtemp(dir=parent, prefix=".writing-"))
        self.held = contextlib.ExitStack()
        self.held.enter_context(leftovers.hold(self.folder))
        return self.folder / self.path.name

    def __exit__(self, error, *_):
        with self.held:
            if error is None:
                (self.folder / self.path.name).replace(self.path)
            shutil.rmtree(self.folder)


def examples(recipe, config, model, count):
    """Test inputs of a recipe as its model takes them: texts as lists of tokens, none empty."""
    splits = recipe.load(config)
    inputs = splits.get("test", splits["train"]).inputs[:count]
    if not hasattr(model, "tokens_of"):
        return inputs
    split = (model.tokens_of(text) if isinstance(text, str) else text for text in inputs)
    return [tokens for tokens in split if len(tokens)]
