"""Start of a training from the weights of a finished run (`--init-from`)."""

import dataclasses
import functools
import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from keras_seq._internal import files
from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.train import model_files, registry, runs
from keras_seq.train.config import Config
from keras_seq.train.recipe import Recipe
from keras_seq.train.recipe_info import RecipeInfo
from keras_seq.train.reporter import Reporter

if TYPE_CHECKING:
    import keras


def check(recipe: RecipeInfo, config: Config) -> None:
    """Check that `config.init_from` is a run whose weights the recipe can start from.

    No model is loaded.

    Args:
        recipe: Recipe to train.
        config: Config of the new run.

    Raises:
        InputError: If the folder is not a finished run, if it is a run of a recipe from which this
            one cannot start, or if its model is damaged.
    """
    if config.init_from is not None:
        try:
            _check_run(recipe, config, runs.Run(Path(config.init_from)))
        except InputError as error:
            raise InputError(f"--init-from: {error}") from None


def _check_run(recipe: RecipeInfo, config: Config, run: runs.Run) -> None:
    if not run.folder.is_dir():
        raise InputError(f"{run.folder} is not a folder. Give the folder of a run.")
    name = run.recipe_name
    if name not in (recipe.name, *config.init_recipes):
        names = " or ".join((recipe.name, *config.init_recipes))
        raise InputError(
            f"{run.folder} is a run of {name}, but {recipe.name} starts from runs of {names} only."
        )
    run.read_config(recipe if name == recipe.name else None)
    run.ensure_model()
    model_files.check(run.model_path, runs.REMEDY)


class Initialization:
    """Start from random weights.

    >>> from keras_seq.train.initialization import Initialization
    >>> Initialization().fingerprint
    {}
    """

    @property
    def fingerprint(self) -> dict[str, Any]:
        """Entries for the fingerprint of the run."""
        return {}

    def keep(self, run: runs.Run) -> None:
        """Keep what a run needs in order to be resumed.

        Args:
            run: New run.
        """

    def build(self, recipe: Recipe, config: Config, train: RawExamples) -> Any:
        """Build the model.

        Args:
            recipe: Recipe to train.
            config: Config of the run.
            train: Training examples.
        """
        return recipe.build(config, train)

    def initialize(
        self, recipe: Recipe, config: Config, model: "keras.Model"
    ) -> dict[str, Any] | None:
        """Set the weights of a model.

        Args:
            recipe: Recipe to train.
            config: Config of the run.
            model: Result of `build`.

        Returns:
            Where the weights come from and how many were copied, for `metrics.json`. None for
            random weights.
        """
        return None


class InitializationFromRun(Initialization):
    """Start from the weights of a finished run.

    A new run keeps a copy of the model until it has finished, so that it can be resumed without the
    run that it starts from.

    Args:
        folder: Folder of the run that the weights come from.
        recipe_name: Name of its recipe.
        path: Path of its model, or of the copy.
    """

    def __init__(self, folder: str, recipe_name: str, path: Path) -> None:
        self.folder, self.recipe_name, self.path = Path(folder), recipe_name, path
        self.model = model_files.load(path, runs.REMEDY)

    @functools.cached_property
    def fingerprint(self) -> dict[str, Any]:
        """Recipe of the run, and SHA-256 of its model."""
        with self.path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"initial": {"recipe": self.recipe_name, "sha256": digest}}

    def keep(self, run: runs.Run) -> None:
        """Copy the model to the new run."""
        with files.atomic_write(run.initial_model_path) as copy:
            shutil.copyfile(self.path, copy)

    def build(self, recipe: Recipe, config: Config, train: RawExamples) -> Any:
        """Build the model, with the vocabulary of the trained one if the recipe is the same."""
        if self.recipe_name != recipe.name:
            return recipe.build(config, train)
        return recipe.build_from(config, train, self.model)

    def initialize(
        self, recipe: Recipe, config: Config, model: "keras.Model"
    ) -> dict[str, Any] | None:
        """Copy the weights.

        Raises:
            InputError: If a layer has another shape for another reason than vocabulary or labels.
        """
        from keras_seq.models import weight_copy
        from keras_seq.models.transfer import transfer

        if self.recipe_name != recipe.name:
            report = transfer(model, self.model)
        else:
            try:
                report = weight_copy.copy_weights(model, self.model)
            except weight_copy.ShapeMismatchError as error:
                raise InputError(f"--init-from: {error} {self._advise(config)}") from None
        source = {"run": str(self.folder), **self.fingerprint["initial"]}
        return {**source, "summary": str(report), **dataclasses.asdict(report)}

    def _advise(self, config: Config) -> str:
        """Return the options with which the trained model was built, if they differ."""
        shared = {field.name for field in dataclasses.fields(Config)}
        _, trained = runs.Run(self.folder).read_settings()
        changed = [
            _format_option(name, value)
            for name, value in trained.items()
            if name not in shared
            and value != getattr(config, name, value)
            # Fractions and texts set no shape, except texts that a search chooses.
            and (isinstance(value, int) or (isinstance(value, str) and name in config.spaces()))
        ]
        if not changed:
            return f"Use the settings in {self.folder / 'config.json'}."
        return f"Use the options of {self.folder}: {' '.join(changed)}."


def _format_option(name: str, value: Any) -> str:
    option = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{option}" if value else f"--no-{option}"
    return f"--{option} {value}"


def load(
    recipe: Recipe, config: Config, run: runs.Run, reporter: Reporter | None = None
) -> Initialization:
    """Return the start of a run, for which the model of `config.init_from` is loaded.

    Args:
        recipe: Recipe to train.
        config: Config of the run.
        run: New or interrupted run.
        reporter: Reporter of what the training does, or None.

    Raises:
        InputError: As `check` raises.
    """
    if config.init_from is None:
        return Initialization()
    if reporter is not None:
        reporter.start_phase(f"loading the model of {config.init_from}")
    if run.is_started and run.initial_model_path.exists():
        name, path = run.fingerprint["initial"]["recipe"], run.initial_model_path
    else:
        check(recipe, config)
        source = runs.Run(Path(config.init_from))
        name, path = source.recipe_name, source.model_path
    if name != recipe.name:
        registry.find(name).import_recipe()  # registers its layers
    return InitializationFromRun(config.init_from, name, path)
