"""Recipe whose training takes no time and whose score is a formula."""

from pathlib import Path

FILES = {
    "__init__.py": '"""Formula without training."""',
    "config.py": """
import dataclasses
from keras_seq.train import config

@dataclasses.dataclass(frozen=True)
class Config(config.Config):
    width: int = config.tunable(4, choices=(2, 4, 8))
    rate: float = config.tunable(0.1, low=0.01, high=1, log=True)
    kind: str = config.tunable("plain", choices=("plain", "fine"))
    bias: bool = config.tunable(True, choices=(True, False))
    bad: int = 0
    steps: int | None = 3

    def check_files(self):
        pass  # The data is not in files.

PRESETS = {"default": Config()}
""",
    "data.py": """
import os
import numpy as np
from keras_seq.batching import RawExamples

def load(config):
    assert "NO_DATA" not in os.environ, "data is loaded"
    examples = RawExamples(np.ones((4, 1), "float32"), np.ones((4, 1), "float32"))
    names = ("train", "test") if config.data == "unheld" else ("train", "validation", "test")
    return dict.fromkeys(names, examples)
""",
    "model.py": """
import keras

def build(config, train):
    if config.width <= config.bad:
        raise ValueError("too narrow")
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", run_eagerly=True)
    model.config = config
    return model
""",
    "recipe.py": """
import os, pathlib, signal
from keras_seq import InputError
from keras_seq.batching import EncodedDataset
from keras_seq.train import recipe
from . import data, model

class Recipe(recipe.Recipe):
    load = staticmethod(data.load)
    build = staticmethod(model.build)

    def encode(self, model, examples):
        return EncodedDataset(examples.inputs, examples.targets)

    def evaluate(self, model, splits, name):
        return evaluate(model, splits, name)

    def predict(self, model, config, inputs):
        if "bad" in inputs:
            raise InputError("The input 'bad' is bad.")
        for text in inputs:
            yield {"input": text, "weights": sum(weight.numpy().sum() for weight in model.weights)}

def evaluate(model, splits, name):
    # The step of the optimizer survives an interruption.
    config, step = model.config, int(model.optimizer.iterations)
    log = pathlib.Path("log")
    lines = log.read_text().splitlines() if log.exists() else []
    if str(len(lines)) == os.environ.get("KILL_AT"):
        os.kill(os.getpid(), signal.SIGKILL)
    line = f"{name} {config.width} {config.rate} {config.kind} {config.bias} {step}"
    log.write_text("\\n".join([*lines, line]) + "\\n")
    score = config.width / (1 + config.rate) + config.bias - 1 / step
    return {"accuracy": score if config.kind == "fine" else score / 2}
""",
}


def write(folder: Path) -> str:
    """Write the recipe to a new folder. Return its name for commands in the parent folder."""
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text)
    return f"./{folder.name}"
