"""The folder of a run: its files, and what they say."""

import contextlib
import dataclasses
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_seq._internal import files, folder_locks
from keras_seq._internal.errors import InputError
from keras_seq._internal.files import write_json as write_json  # for recipes
from keras_seq.train import checkpoints, fingerprints, registry
from keras_seq.train.config import Config
from keras_seq.train.metrics import flatten
from keras_seq.train.recipe import Recipe, RecipeInfo

SAVED_MODEL = ("config.json", "metadata.json", "model.weights.h5")
"""Members of a model file of Keras, the architecture first."""
LAMBDA = b'"__lambda__"'
"""Class of what Keras saves as the code of a function, and does not load."""
REMEDY = "restore it from a copy, or train another run"
"""Advice on files of which nothing else holds the content."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A training run on disk.

    - `config.json`: recipe, preset, every field of the config, and fingerprints of the recipe's
      code and of the data;
    - `history.csv`: a row an epoch; `learning_curve.png`: the same as a picture;
    - `checkpoint.npz`: all that a resumed run needs, and `checkpoint.previous.npz`, that of the
      epoch before; gone when the run has finished;
    - `model.keras`, `metrics.json`: the result; `metrics.json` is written last.

    Args:
        folder: Folder of the run.
    """

    folder: Path

    @property
    def is_finished(self) -> bool:
        """True if the training and all measurements have ended."""
        return (self.folder / "metrics.json").is_file()

    @property
    def is_started(self) -> bool:
        """True if the training has begun."""
        return (self.folder / "config.json").is_file()

    @property
    def model_path(self) -> Path:
        """File of the trained model."""
        return self.folder / "model.keras"

    @property
    def checkpoint_path(self) -> Path:
        """File of all that a resumed run needs."""
        return self.folder / "checkpoint.npz"

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of `metrics.json`."""
        return files.read_checked_json(self.folder / "metrics.json", REMEDY)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Keep the folder for this process, and remove what killed ones left in it.

        Raises:
            InputError: If another process keeps it.
        """
        tuning = self.folder / "tuning"
        with files.exclusive_lock(self.folder):
            for folder in (self.folder, tuning, *tuning.glob("trial_*")):
                folder_locks.remove_unlocked(folder, files.TEMPORARY, min_age=0.0)
            yield

    def ensure_new(self) -> None:
        """Check that no run lies in the folder.

        Raises:
            InputError: If one does.
        """
        if self.is_finished:
            raise InputError(f"{self.folder} holds a finished run; choose another name with --run.")
        if self.is_started:
            raise InputError(
                f"{self.folder} holds an interrupted run; go on with --resume, or choose another "
                "name with --run."
            )

    def start(
        self,
        recipe: str,
        preset: str,
        config: Config,
        fingerprint: fingerprints.Fingerprint | None = None,
        recipe_folder: str | None = None,
    ) -> None:
        """Create the folder and note what runs in it.

        Args:
            recipe: Name of the recipe.
            preset: Name of the preset.
            config: Config of the recipe.
            fingerprint: Fingerprint of the recipe's code and of the data.
            recipe_folder: Folder of a recipe that is not registered, as the command names it.
        """
        content = {
            "recipe": recipe,
            "recipe_folder": recipe_folder,
            "preset": preset,
            "config": dataclasses.asdict(config),
            "fingerprint": fingerprint,
        }
        self.write_json("config.json", {k: v for k, v in content.items() if v is not None})

    def _read_start(self) -> dict[str, Any]:
        path = self.folder / "config.json"
        if not path.is_file():
            raise InputError(f"{self.folder} is no run: it has no config.json.")
        content = files.read_checked_json(path, REMEDY)
        optional = {"fingerprint": dict, "recipe_folder": str}
        for key, kind in {"recipe": str, "preset": str, "config": dict, **optional}.items():
            if not isinstance(content.get(key, kind() if key in optional else None), kind):
                raise InputError(f"{path} is not of a run: its {key!r} is not as it should be.")
        return content

    @property
    def fingerprint(self) -> fingerprints.Fingerprint:
        """Fingerprint of code and data at the start; empty for runs of older versions."""
        return self._read_start().get("fingerprint", {})

    @property
    def recipe_name(self) -> str:
        """Name of the recipe, of which no code runs."""
        return Path(self._read_start()["recipe"]).name

    @property
    def recipe_folder(self) -> str | None:
        """Folder of a recipe that is not registered, as the command named it, or None."""
        content = self._read_start()
        # Older versions wrote the folder in place of the name.
        old = content["recipe"] if registry.is_folder(content["recipe"]) else None
        return content.get("recipe_folder", old)

    def read_config(self, recipe: RecipeInfo | str | None = None) -> tuple[RecipeInfo, str, Config]:
        """Return the recipe, preset name and Config that the run was started with.

        Args:
            recipe: Recipe that the command names, which a run of a recipe in a folder needs: the
                code of a folder never runs because a file in a run says so.

        Raises:
            InputError: If there is no run; if its recipe is not the one that is named, or is in a
                folder and not named, or has no such fields any more.
        """
        content = self._read_start()
        name = self.recipe_name
        if isinstance(recipe, str):
            recipe = registry.find(recipe)
        if recipe is None:
            if (folder := self.recipe_folder) is not None:
                raise InputError(
                    f"{self.folder} was trained with the recipe in the folder {folder}, whose code "
                    f"runs only if you trust and name it: add --recipe {folder}."
                )
            recipe = registry.find(name)
        elif recipe.name != name:
            raise InputError(f"{self.folder} is a run of the recipe {name}, not {recipe.name}.")
        default = recipe.preset("default")
        usual = json.loads(json.dumps(dataclasses.asdict(default)))
        for field, value in content["config"].items():
            if field not in usual:
                raise InputError(
                    f"{self.folder} was trained with the field {field!r}, which the recipe "
                    f"{recipe.name} no longer has: its code has changed since."
                )
            if not _has_type_of(usual[field], value):
                raise InputError(
                    f"{self.folder / 'config.json'} has {field} {value!r}, which is not like the "
                    f"default, {usual[field]!r}."
                )
        return recipe, content["preset"], dataclasses.replace(default, **content["config"])

    def read_unfinished(self, recipe: RecipeInfo) -> tuple[str, Config]:
        """Return the preset name and Config of a run that was interrupted.

        Args:
            recipe: Recipe that the command names.

        Raises:
            InputError: If the run has finished, or never began; or if the recipe's code is not that
                of the start.
        """
        if self.is_finished:
            raise InputError(f"{self.folder} holds a finished run; there is nothing to resume.")
        fingerprints.check_code(self.fingerprint, recipe, self.folder)
        _, preset, config = self.read_config(recipe)
        return preset, config

    def load(self, recipe: RecipeInfo | str | None = None) -> tuple[Recipe, Config, Any]:
        """Return the recipe, Config and model of a finished run.

        Args:
            recipe: As for `read_config`.

        Raises:
            InputError: As for `read_config`; if the run has not finished; if the model is damaged,
                holds code, or does not fit the code of the recipe, which has changed.
        """
        info, _, config = self.read_config(recipe)
        if not self.is_finished:
            raise InputError(
                f"{self.folder} is not finished; `keras-seq train ... --resume` goes on."
            )
        files.check_zip(self.model_path, SAVED_MODEL, REMEDY)
        with zipfile.ZipFile(self.model_path) as archive:
            if LAMBDA in archive.read(SAVED_MODEL[0]):
                raise InputError(
                    f"{self.model_path} holds a Python lambda, which is code that could do "
                    "anything: write it as a layer of its own, and train again."
                )
        found = info.import_recipe()
        import keras

        import keras_seq.layers  # noqa: F401  (its classes must be known to load a model with them)

        try:
            model = keras.saving.load_model(self.model_path, safe_mode=True)  # no code of the file
        except (TypeError, ValueError):
            fingerprints.check_code(self.fingerprint, info, self.folder)
            raise
        return found, config, model

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file with a checksum into the folder."""
        files.write_checked_json(self.folder / name, content)

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write `history.csv`.

        Args:
            rows: Metrics per epoch, all with the same keys. Nested ones become columns with names
                such as `val_per_label/PER/f1`.
        """
        files.write_csv(self.folder / "history.csv", list(map(flatten, rows)))

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the metrics, which makes the run a finished one."""
        self.write_json("metrics.json", metrics)
        checkpoints.remove(self.checkpoint_path)


def _has_type_of(usual: Any, value: Any) -> bool:
    """Return whether a value that JSON holds can stand in place of a usual one."""
    if usual is None or value is None:
        return True
    return type(value) is type(usual) or (type(value), type(usual)) == (int, float)


def get_run(folder: Path, recipe: RecipeInfo, name: str) -> Run:
    """Return the run of a recipe by its name.

    Args:
        folder: Folder of all runs.
        recipe: Recipe.
        name: Name of a folder in FOLDER/RECIPE.

    Raises:
        InputError: If the name is not that of a single folder.
    """
    if name in ("", ".", "..") or Path(name).name != name:
        raise InputError(
            f"--run takes a name without separators, not {name!r}; --runs says where runs lie."
        )
    return Run(folder / recipe.name / name)
