"""Folders of training runs."""

import contextlib
import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from keras_seq._internal import files, folder_locks
from keras_seq._internal.errors import DamagedFileError, InputError
from keras_seq.train import checkpoints, fingerprints, model_files, registry
from keras_seq.train.config import Config
from keras_seq.train.folds import Fold
from keras_seq.train.metrics import flatten
from keras_seq.train.recipe import Recipe
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.run_names import check_run_name

REMEDY = "restore it from a copy, or train another run"
"""Advice for damaged files that cannot be written again."""


@dataclasses.dataclass(frozen=True)
class Run:
    """Folder of a training run.

    - `config.json`: recipe, preset, config, and fingerprints of code and data;
    - `history.csv`, `learning_curve.png`: metrics per epoch, as a table and as a plot;
    - `checkpoint.npz`, `checkpoint.previous.npz`, `initial.keras`: state after the last two epochs,
      and the model of another run that it started from, removed when the run has finished;
    - `model.keras`, `metrics.json`: the result. `metrics.json` is written last.

    >>> from pathlib import Path
    >>> from keras_seq.train.runs import Run
    >>> Run(Path("runs/ner/my_run")).is_finished
    False

    Args:
        folder: Path of the folder.
    """

    folder: Path

    @property
    def is_finished(self) -> bool:
        """True if training and evaluation are complete."""
        return (self.folder / "metrics.json").is_file()

    @property
    def is_started(self) -> bool:
        """True if training has started."""
        return (self.folder / "config.json").is_file()

    @property
    def model_path(self) -> Path:
        """Path of the trained model."""
        return self.folder / "model.keras"

    @property
    def checkpoint_path(self) -> Path:
        """Path of the checkpoint."""
        return self.folder / "checkpoint.npz"

    @property
    def initial_model_path(self) -> Path:
        """Path of a copy of the model that the training started from, see `initialization`."""
        return self.folder / "initial.keras"

    @property
    def metrics(self) -> dict[str, Any]:
        """Content of `metrics.json`."""
        return files.read_checked_json(self.folder / "metrics.json", REMEDY)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Lock the folder for this process, and remove leftovers of killed processes.

        Raises:
            InputError: If another process has locked the folder.
        """
        tuning = self.folder / "tuning"
        with files.exclusive_lock(self.folder):
            for folder in (self.folder, tuning, *tuning.glob("trial_*")):
                folder_locks.remove_unlocked(folder, files.TEMPORARY, min_age=0.0)
            yield

    def ensure_new(self) -> None:
        """Check that the folder does not hold a run.

        Raises:
            InputError: If it holds a run.
        """
        if self.is_finished:
            raise InputError(f"{self.folder} holds a finished run. Choose another name with --run.")
        if self.is_started:
            raise InputError(
                f"{self.folder} holds an interrupted run. Continue it with --resume, or choose "
                "another name with --run."
            )

    def ensure_model(self) -> None:
        """Check that the folder holds a finished run with an intact model.

        Neither the recipe nor the backend is imported.

        Raises:
            InputError: If the run is not finished, or is a cross-validation. Also if the model is
                damaged or contains code.
        """
        if (folds := self.folds) is not None:
            raise InputError(
                f"{self.folder} is a cross-validation with {folds} models; name the run of one of "
                f"them, such as {self.get_fold(1).folder}."
            )
        if not self.is_finished:
            raise InputError(
                f"{self.folder} is not finished. Continue it with `keras-seq train ... --resume`."
            )
        model_files.check(self.model_path, REMEDY)

    def get_fold(self, number: int) -> "Run":
        """Return the run of a fold of this cross-validation.

        Args:
            number: Number of the fold, from 1.
        """
        return Run(self.folder / f"fold-{number}")

    def start(
        self,
        recipe: str,
        preset: str,
        config: Config,
        fingerprint: fingerprints.Fingerprint | None = None,
        recipe_folder: str | None = None,
        fold: Fold | None = None,
        folds: int | None = None,
    ) -> None:
        """Create the folder and its `config.json`.

        Args:
            recipe: Name of the recipe.
            preset: Name of the preset.
            config: Config of the recipe.
            fingerprint: Fingerprint of the recipe's code and data.
            recipe_folder: Folder of a recipe that is not registered, as the command line names it.
            fold: Fold of a cross-validation that the run trains on.
            folds: Number of folds, for the folder of a cross-validation.
        """
        content = {
            "recipe": recipe,
            "recipe_folder": recipe_folder,
            "preset": preset,
            "config": dataclasses.asdict(config),
            "fingerprint": fingerprint,
            "fold": fold and dataclasses.asdict(fold),
            "folds": folds,
        }
        self.write_json("config.json", {k: v for k, v in content.items() if v is not None})

    def _read_config_json(self) -> dict[str, Any]:
        """Return the content of `config.json` after a check of its types."""
        path = self.folder / "config.json"
        if not path.is_file():
            raise InputError(f"{self.folder} is not a run: it has no config.json.")
        content = files.read_checked_json(path, REMEDY)
        optional = {"fingerprint": dict, "recipe_folder": str, "fold": dict, "folds": int}
        for key, kind in {"recipe": str, "preset": str, "config": dict, **optional}.items():
            if not isinstance(content.get(key, kind() if key in optional else None), kind):
                raise InputError(f"{path} is not the config of a run: {key!r} is not valid.")
        return content

    def read_settings(self) -> tuple[str, dict[str, Any]]:
        """Return the preset name and the fields of the Config, without importing the recipe.

        Raises:
            InputError: If the folder does not hold a run.
        """
        content = self._read_config_json()
        return content["preset"], content["config"]

    @property
    def fingerprint(self) -> fingerprints.Fingerprint:
        """Fingerprint of code and data at the start, empty for runs of older versions."""
        return self._read_config_json().get("fingerprint", {})

    @property
    def fold(self) -> Fold | None:
        """Fold of a cross-validation that the run was trained on, or None."""
        content = self._read_config_json().get("fold")
        with files.expect_content(self.folder / "config.json", "the config of a run", REMEDY):
            return content and Fold(**content)

    @property
    def folds(self) -> int | None:
        """Number of folds, if this is the folder of a cross-validation."""
        return self._read_config_json().get("folds")

    @property
    def recipe_name(self) -> str:
        """Name of the recipe. Its code is not imported."""
        return Path(self._read_config_json()["recipe"]).name

    @property
    def recipe_folder(self) -> str | None:
        """Folder of a recipe that is not registered, or None."""
        content = self._read_config_json()
        # Older versions wrote the folder instead of the name.
        old = content["recipe"] if registry.is_folder(content["recipe"]) else None
        return content.get("recipe_folder", old)

    def read_config(self, recipe: RecipeInfo | str | None = None) -> tuple[RecipeInfo, str, Config]:
        """Return the recipe, preset name and Config that the run was started with.

        Args:
            recipe: Recipe that the command line names. It is required if the recipe is in a
                folder: a file in a run must never decide which code runs.

        Raises:
            InputError: If the folder does not hold a run, the recipe is another one or missing, or
                its Config does not have the fields of the run.
        """
        content = self._read_config_json()
        name = self.recipe_name
        if isinstance(recipe, str):
            recipe = registry.find(recipe)
        if recipe is None:
            if (folder := self.recipe_folder) is not None:
                raise InputError(
                    f"{self.folder} was trained with the recipe in the folder {folder}. If you "
                    f"trust its code, add --recipe {folder}."
                )
            recipe = registry.find(name)
        elif recipe.name != name:
            raise InputError(f"{self.folder} is a run of the recipe {name}, not of {recipe.name}.")
        recipe = dataclasses.replace(recipe, fold=self.fold)
        default = recipe.preset("default")
        default_values = json.loads(json.dumps(dataclasses.asdict(default)))
        for field, value in content["config"].items():
            if field not in default_values:
                raise InputError(
                    f"{self.folder} was trained with the field {field!r}, which the recipe "
                    f"{recipe.name} no longer has. Restore the code that the run was started with."
                )
            if not _has_type_of(default_values[field], value):
                raise InputError(
                    f"{self.folder / 'config.json'}: {field} {value!r} does not have the type of "
                    f"the default, {default_values[field]!r}."
                )
        try:
            config = default.override(**content["config"])
        except InputError as error:
            raise InputError(f"{self.folder / 'config.json'} is not valid: {error}") from error
        return recipe, content["preset"], config

    def read_unfinished(self, recipe: RecipeInfo, folds: int | None = None) -> tuple[str, Config]:
        """Return the preset name and Config of a run that was interrupted.

        Args:
            recipe: Recipe that the command line names.
            folds: Number of folds that the command line gives.

        Raises:
            InputError: If the run has finished or never started, the recipe's code has changed, or
                the number of folds is another one.
        """
        if self.is_finished:
            raise InputError(f"{self.folder} holds a finished run, which cannot be resumed.")
        if (stored := self.folds) != folds:
            was, now = (
                "without --folds" if n is None else f"with --folds {n}" for n in (stored, folds)
            )
            raise InputError(f"{self.folder} was started {was}; it cannot be resumed {now}.")
        fingerprints.check_code(self.fingerprint, recipe, self.folder)
        _, preset, config = self.read_config(recipe)
        return preset, config

    def load(self, recipe: RecipeInfo | str | None = None) -> tuple[Recipe, Config, Any]:
        """Return the recipe, Config and model of a finished run.

        Args:
            recipe: As for `read_config`.

        Raises:
            InputError: As for `read_config` and `ensure_model`. Also if the recipe's code has
                changed so that the model cannot be loaded.
        """
        info, _, config = self.read_config(recipe)
        self.ensure_model()
        imported = info.import_recipe()
        try:
            model = model_files.load(self.model_path, REMEDY)
        except DamagedFileError:
            fingerprints.check_code(self.fingerprint, info, self.folder)
            raise
        return imported, config, model

    def write_json(self, name: str, content: dict[str, Any]) -> None:
        """Write a JSON file with a checksum to the folder."""
        files.write_checked_json(self.folder / name, content)

    def write_history(self, rows: list[dict[str, Any]]) -> None:
        """Write `history.csv`.

        Args:
            rows: Metrics per epoch, all with the same keys. Nested ones become columns with names
                such as `val_per_label/PER/f1`.
        """
        files.write_csv(self.folder / "history.csv", list(map(flatten, rows)))

    def finish(self, metrics: dict[str, Any]) -> None:
        """Write the metrics, which marks the run as finished, and remove what resuming needs."""
        self.write_json("metrics.json", metrics)
        self.remove_checkpoint()

    def remove_checkpoint(self) -> None:
        """Remove what only an interrupted run needs."""
        checkpoints.remove(self.checkpoint_path)
        self.initial_model_path.unlink(missing_ok=True)


def _has_type_of(default: Any, value: Any) -> bool:
    """Return True if a JSON value has the type of a default. None fits every type."""
    if default is None or value is None:
        return True
    return type(value) is type(default) or (type(value), type(default)) == (int, float)


def default_name(preset: str, folds: int | None) -> str:
    """Return the default name of a run, or of a cross-validation."""
    return preset if folds is None else f"{preset}-{folds}-folds"


def get_run(runs_folder: Path, recipe: RecipeInfo, name: str) -> Run:
    """Return the run in the folder RUNS_FOLDER/RECIPE/NAME.

    Args:
        runs_folder: Folder of all runs.
        recipe: Recipe.
        name: Name of the run.

    Raises:
        InputError: If the name is not the name of a single folder on every system.
    """
    check_run_name(name)
    return Run(runs_folder / recipe.name / name)
