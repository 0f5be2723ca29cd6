"""Finished runs without training, for the tests of cards and of sharing."""

import zipfile
from pathlib import Path

from keras_seq.train import registry
from keras_seq.train.model_files import SAVED_MODEL
from keras_seq.train.runs import Run
from keras_seq.train.trained_run import TrainedRun

METRICS = {
    "preset": "default",
    "seed": 0,
    "validation": {
        "f1": 0.5,
        "accuracy": 0.75,
        "loss": float("nan"),
        "per_label": {"PER": {"f1": 0.25}, "a|b<i>": {"f1": 1.0}},
        "new_entities": {"recall": 0.125},
    },
    "epochs": 2,
    "parameters": 10,
    "seconds": 1.5,
    "versions": {"keras": "3.15.1"},
}


def make_run(folder: Path, architecture: str = "{}", recipe: str = "ner", **start) -> TrainedRun:
    """Write a finished run and return it."""
    info = registry.find("ner")
    run = Run(folder)
    folder.mkdir(parents=True)
    fingerprint = {"data": {"train": {"examples": 1234}}}
    run.start(recipe, "default", info.preset("default"), fingerprint, **start)
    with zipfile.ZipFile(run.model_path, "w") as archive:
        for member in SAVED_MODEL:
            archive.writestr(member, architecture)
    (folder / "history.csv").write_text("epoch,f1\n1,0.5\n")
    for name in ("checkpoint.npz", "predictions.html", "attention.png", ".lock"):
        (folder / name).write_text("stays here")
    (folder / "savedmodel/variables").mkdir(parents=True)
    (folder / "savedmodel/variables/index").write_text("index")
    run.write_json("metrics.json", METRICS)
    return TrainedRun(run, info)
