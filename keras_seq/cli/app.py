"""The command `keras-seq`: one function a verb. Nothing here imports a backend before it trains."""

import contextlib
import dataclasses
import functools
import importlib.util
import inspect
import os
import re
import shlex
import shutil
import sys
import traceback
import webbrowser
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import App, CycloptsError, Parameter, validators
from rich.console import Console
from rich.table import Table

from keras_seq import __version__
from keras_seq._internal import sockets, startup
from keras_seq._internal.errors import InputError, explain
from keras_seq._internal.files import atomic_write
from keras_seq.serving import Limits
from keras_seq.train import distribution, fingerprints, results, runs
from keras_seq.train import recipe as recipes

app = App(
    name="keras-seq",
    help=(
        "Recurrent sequence models: recipes to train, to measure and to use. With --debug, any "
        "command also shows where in the code an error comes from."
    ),
    version=__version__,
    suppress_keyboard_interrupt=False,
)
# Into a pipe, a table takes the width it needs.
console = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 10_000)
HELP = {"--help", "-h"}

HANDLED_HERE: dict[str, Any] = {
    "exit_on_error": False,
    "print_error": False,
    "result_action": "return_value",
}
"""`main` turns errors into sentences and exit codes, not the library that parses."""

RecipeOption = Annotated[
    str | None,
    Parameter(help="Folder of the run's recipe, if it has no name: its code is run."),
]

LimitOption = Annotated[
    list[str] | None,
    Parameter(negative="", help="NAME=VALUE: accept larger files, as docs/limits.md lists."),
]


def limited(verb):
    """Add the option `--limit NAME=VALUE` to the function of a verb that reads files."""

    @functools.wraps(verb)
    def call(*arguments, limit=None, **options):
        from keras_seq.data import limits

        with limits.override(**limits.parse(limit or ())):
            return verb(*arguments, **options)

    option = inspect.Parameter(
        "limit", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LimitOption
    )
    signature = inspect.signature(verb)
    call.__signature__ = signature.replace(parameters=[*signature.parameters.values(), option])
    call.__annotations__ = verb.__annotations__ | {"limit": LimitOption}
    return call


def main(arguments: list[str] | None = None) -> int:
    """Run a command line.

    An error that a file or option of the user caused becomes one sentence here, and nowhere else.
    Any other error is a programming error and keeps its traceback.

    Args:
        arguments: Words after `keras-seq`; those of this process by default. With `--debug` among
            them, every error shows its traceback.

    Returns:
        The exit code: 0; 2 for what the user can mend; 130 after an interruption.
    """
    arguments, debug = _without_debug(sys.argv[1:] if arguments is None else list(arguments))
    try:
        app(arguments, **HANDLED_HERE)
    except KeyboardInterrupt:
        print("keras-seq: interrupted.", file=sys.stderr)
        return 130
    except Exception as error:
        sentence = (
            " ".join(str(error).split()) if isinstance(error, CycloptsError) else explain(error)
        )
        if sentence is None:
            raise
        if debug:
            traceback.print_exc()
        print(f"keras-seq: {sentence}", file=sys.stderr)
        return 2
    return 0


def _without_debug(arguments: list[str]) -> tuple[list[str], bool]:
    """Return arguments without `--debug`, and whether it was among them, before any `--`."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != "--debug"]
    return options + arguments[end:], len(options) < end


@app.command
def ls():
    """List the recipes with the results recorded for their presets."""
    table = Table("recipe", "preset", "seeds", "test", "minutes", "what it is")
    for name, recipe in sorted(recipes.recipes().items()):
        rows = results.summary(recipe) or [("", "", "", "")]
        for number, row in enumerate(rows):
            table.add_row(*((name, *row, recipe.description) if number == 0 else ("", *row, "")))
    console.print(table)


@app.command(help_flags=[])
def train(*tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]):
    """Train a recipe: `keras-seq train RECIPE`; `keras-seq train RECIPE --help` lists its options.

    RECIPE is a name that `keras-seq ls` lists, or the folder of a recipe of your own, written with
    a separator: `./my_digits`.
    """
    if (asked := _asked("train", tokens)) is None:
        return
    recipe, options, preset, defaults = asked
    if "--resume" in options:
        name = _value_of("--run", options) or preset
        runs_folder = Path(_value_of("--runs", options) or "runs")
        preset, defaults = runs.named_run(runs_folder, recipe, name).read_unfinished(recipe)
    config_class = _with_defaults(defaults)

    def train_recipe(
        *,
        config: Annotated[config_class, Parameter(name="*")] = config_class(),  # type: ignore[valid-type]  # noqa: B008
        preset: Literal[tuple(recipe.presets)] = preset,  # type: ignore[valid-type]
        run: str | None = None,
        runs_folder: Annotated[Path, Parameter(name="--runs")] = Path("runs"),
        resume: Annotated[bool, Parameter(negative="")] = False,
        record: Annotated[bool, Parameter(negative="")] = False,
        test: bool = True,
        distribute: Literal["mirrored", "multiworker"] | None = None,
    ):
        """Train, measure and save.

        Parameters
        ----------
        preset
            Where the other options take their defaults from.
        run
            Name of the run, the preset's by default; it lies in RUNS/RECIPE/RUN.
        runs_folder
            Folder of all runs.
        resume
            Go on with an interrupted run.
        record
            Add the result to the recipe's results.json.
        test
            Read the test split at the end; without it nothing can be chosen by the result.
        distribute
            Share every batch out: mirrored, among all GPUs of this machine; multiworker, among the
            machines of TF_CONFIG, on each of which this command runs.
        """
        given = type(defaults)(**dataclasses.asdict(config))
        folder = runs.named_run(runs_folder, recipe, preset if run is None else run)
        command = shlex.join(["keras-seq", "train", *tokens])
        if record:
            results.check_recordable(recipe, preset, given, test)
        chief = distribution.is_chief(distribute)
        with folder.lock() if chief else contextlib.nullcontext():
            if resume:
                folder.read_unfinished(recipe)  # again, since another process may just have ended
                _check_unchanged(defaults, given, folder)
            elif chief:
                folder.check_free()
            devices = _begin(distribute)
            from keras_seq.train import loop

            metrics = loop.train(recipe, tokens[0], preset, given, folder, command, test, devices)
            if metrics is None:
                return
            if record:
                results.record(recipe, metrics, given)
        _print_metrics(metrics)
        console.print(f"[bold]run[/] {folder.folder}")

    _run_recipe("train", tokens[0], train_recipe, options)


@app.command(help_flags=[])
def tune(*tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]):
    """Tune a recipe: `keras-seq tune RECIPE`; `keras-seq tune RECIPE --help` lists its options.

    Fields that are tunable are chosen by the validation split, but for those that you set. The same
    command goes on after an interruption.
    """
    if (asked := _asked("tune", tokens)) is None:
        return
    recipe, options, preset, defaults = asked
    config_class = _with_defaults(defaults)

    def tune_recipe(
        *,
        config: Annotated[config_class, Parameter(name="*")] = config_class(),  # type: ignore[valid-type]  # noqa: B008
        preset: Literal[tuple(recipe.presets)] = preset,  # type: ignore[valid-type]
        search: Literal["random", "bayesian", "hyperband"] = "random",
        trials: int = 20,
        fields: Annotated[list[str] | None, Parameter(consume_multiple=True, negative="")] = None,
        workers: int | None = None,
        distribute: Literal["mirrored"] | None = None,
        run: str = "tuned",
        runs_folder: Annotated[Path, Parameter(name="--runs")] = Path("runs"),
    ):
        """Search, then train the best that was found, measure it on the test split and save it.

        Parameters
        ----------
        preset
            Where the other options take their defaults from, and the first trial its values.
        search
            How what to try is chosen; Hyperband trains many a little, and the better ones longer.
        trials
            How many to try; Hyperband takes whole rounds of 23.
        fields
            What to tune; all that is tunable by default, but for what is set.
        workers
            Processes to try side by side; one a GPU by default, where there are several.
        distribute
            Share every batch of a trial out among all GPUs of this machine, one trial at a time.
        run
            Name of the run; it lies in RUNS/RECIPE/RUN.
        runs_folder
            Folder of all runs.
        """
        given = type(defaults)(**dataclasses.asdict(config))
        tunable = [name for name in given.spaces() if not _is_set(name, options)]
        folder = runs.named_run(runs_folder, recipe, run)
        command = shlex.join(["keras-seq", "tune", *tokens])
        is_worker = distribution.tuning_role() == "worker"
        # Else the first process that sees a GPU takes all of its memory.
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")

        def restart():
            # The search is on disk, and its lock is not handed on.
            sys.stdout.flush()
            again = [sys.executable, "-m", "keras_seq.cli", "tune", *tokens]
            os.execv(sys.executable, again)

        with contextlib.nullcontext() if is_worker else folder.lock():
            devices = _begin(distribute)
            from keras_seq import tuning

            done = tuning.tune(
                recipe,
                tokens[0],
                preset,
                given,
                folder,
                command,
                tokens,
                search=search,
                trials=trials,
                fields=tunable if fields is None else fields,
                workers=workers,
                devices=devices,
                restart=restart,
            )
        if done is None:
            return
        metrics, rows = done
        table = Table(*rows[0])
        for row in rows:
            table.add_row(*map(tuning.text, row.values()))
        console.print(table)
        _print_metrics(metrics)
        console.print(f"[bold]run[/] {folder.folder}")

    _run_recipe("tune", tokens[0], tune_recipe, options)


@app.command
@limited
def evaluate(
    run: Path,
    *,
    split: Literal["test", "validation", "train"] = "test",
    record: Annotated[bool, Parameter(negative="")] = False,
    recipe: RecipeOption = None,
):
    """Measure a finished run again.

    Parameters
    ----------
    run
        Folder of the run.
    split
        The examples to measure on.
    record
        Add the result to the recipe's results.json: of a preset as it is, whose run was trained
        with --no-test and chosen by what it does on the validation split.
    """
    finished = runs.Run(run)
    with finished.lock() if record else contextlib.nullcontext():
        used, preset, config = finished.read_config(recipe)
        if record:
            results.check_recordable(used, preset, config, split == "test")
        used, _, model = finished.load(used)
        if record and "test" in finished.metrics:
            raise InputError(
                f"{run} was trained without --no-test: its result on the test split was known "
                "before it was chosen."
            )
        splits = used.load(config)
        if split not in splits:
            raise InputError(f"The data {config.data!r} has no {split} split.")
        now = fingerprints.of_data(splits)
        if difference := fingerprints.data_difference(finished.fingerprint, now):
            problem = f"{run} was trained with other data: {difference}"
            if record:
                raise InputError(f"{problem}; no result on other data is recorded.")
            print(f"keras-seq: warning: {problem}.", file=sys.stderr)
        measured = {split: used.evaluate(model, splits, split)}
        _print_metrics(measured)
        if record:
            shown = used.show(model, splits, split, finished.folder)
            metrics = finished.metrics | measured | ({"shown": shown} if shown else {})
            finished.write_json("metrics.json", metrics)
            results.record(used, metrics, config)


@app.command(help_flags=[])
def predict(*tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)]):
    """Ask a finished run: `keras-seq predict RUN INPUT ...`; `keras-seq predict RUN --help`.

    INPUT is what the recipe takes: file names, texts, numbers.
    """
    if not tokens or tokens[0] in HELP:
        app.help_print(["predict"])
        return
    nothing = InputError("predict needs at least one input after the run.")
    if len(tokens) == 1:
        raise nothing
    run = runs.Run(Path(tokens[0]))
    used, _, _ = run.read_config(_value_of("--recipe", tokens[1:]))

    def ask(*inputs, recipe=None, **options):  # `recipe` is read above
        if not inputs:
            raise nothing
        _, config, model = run.load(used)
        table = None
        for row in used.predict(model, config, inputs, **options):
            if table is None:
                table = Table(*row)
            table.add_row(*map(str, row.values()))
        console.print(table if table is not None else "Nothing was found.")

    # The options are the keyword arguments of the recipe's function.
    options = [
        parameter
        for parameter in inspect.signature(used.predict).parameters.values()
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY
    ]
    options.append(
        inspect.Parameter(
            "recipe", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=RecipeOption
        )
    )
    inputs = inspect.Parameter("inputs", inspect.Parameter.VAR_POSITIONAL, annotation=str)
    ask.__signature__ = inspect.Signature([inputs, *options])  # type: ignore[attr-defined]
    ask.__annotations__ = {p.name: p.annotation for p in (inputs, *options)}
    ask.__doc__ = used.predict.__doc__
    _run_recipe("predict", tokens[0], ask, tokens[1:])


@app.command
@limited
def look(run: Path, text: str, *, recipe: RecipeOption = None):
    """Open a finished run while it reads: every gate at every time step, on a page in its folder.

    Parameters
    ----------
    run
        Folder of the run.
    text
        What the recipe reads, such as a sentence; or the number of a row of its test split, from 0.
    """
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq.cli.look import look

    console.print(f"[bold]page[/] {look(used, config, model, text, run)}")


@app.command
@limited
def export(
    run: Path,
    *,
    format: Literal["savedmodel", "onnx", "litert"] = "savedmodel",
    to: Path | None = None,
    compare: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 8,
    portable: bool = False,
    recipe: RecipeOption = None,
):
    """Export a finished run, once it has answered test examples as the run itself does.

    Parameters
    ----------
    run
        Folder of the run.
    format
        What for: TensorFlow (texts in, readable answers out), ONNX, or LiteRT (numbers for both,
        with tables of what they mean).
    to
        Folder to write, RUN/FORMAT if not given.
    compare
        On how many test examples.
    portable
        With ONNX, whether to avoid what runtimes other than ONNX Runtime compute wrongly.
    """
    if portable and format != "onnx":
        raise InputError(f"--portable goes with --format onnx, got {format}.")
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq import export as exports

    inputs = runs.examples(used, config, model, compare)
    folder = to or run / format
    with startup.without_noise():
        options = {"portable": True} if portable else {}
        report = exports.FORMATS[format](model, folder, inputs, **options)
    for name, milliseconds in report["milliseconds"].items():
        console.print(f"[bold]{name}[/] {milliseconds:.2f} ms for one example")
    console.print(f"[bold]largest difference[/] {report['largest difference']:.1e}")
    for warning in report.get("warnings", []):
        console.print(f"[yellow]{warning}[/]")
    if "precision" in report:
        console.print(f"[bold]precision[/] {report['precision']}")
    console.print(f"[bold]exported to[/] {folder}")


@app.command
def serve(
    *models: str,
    host: str = "127.0.0.1",
    port: int = 8501,
    keep: Annotated[int, Parameter(validator=validators.Number(gte=1))] = 1,
    poll: Annotated[float, Parameter(validator=validators.Number(gt=0))] = 2.0,
    limits: Annotated[Limits, Parameter(name="*")] = Limits(),  # noqa: B008
):
    """Answer requests over the network, as TensorFlow Serving does and by the protocol v2.

    Parameters
    ----------
    models
        FOLDER or NAME=FOLDER: of a run, which is exported first if it is not yet; a SavedModel; or
        one of its versions, SavedModels whose names are numbers, of which the latest answers.
    host
        Where to listen; 0.0.0.0 for every address of this machine.
    port
        Where to listen.
    keep
        How many versions of a model answer, the latest ones.
    poll
        Seconds between two looks for new versions.
    """
    if not models:
        raise InputError("serve needs at least one model.")
    try:
        from keras_seq.serving import server
    except ImportError as error:
        raise InputError(f"serve needs {error.name}: pip install 'keras-seq[serve]'.") from error
    # Requests run beside each other; operations that each use all cores as well cost a tenth of
    # the throughput. TensorFlow reads it when it starts, which an export below may make it do.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    # All models share these threads. One more than a model has runs is left for other models;
    # each further one costs time, since threads without work keep looking for some.
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", str(limits.max_concurrent_runs + 1))
    # It makes a program for every shape it meets, which with requests of all lengths are many.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    folders: dict = {}
    for given in models:
        name, folder = _served(given)
        if name in folders:
            raise InputError(f"Two models are called {name!r}: give one as NAME=FOLDER.")
        folders[name] = folder
    # Before anything is exported or loaded, which takes minutes.
    listening, address = sockets.listen(host, port)
    with listening:
        for folder in folders.values():
            if not folder.exists():
                export(folder.parent)
        server.serve(folders, listening, address, limits, keep, poll)


@app.command
@limited
def demo(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))] = 7860,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    open: bool = True,
    recipe: RecipeOption = None,
):
    """Try a finished run in the browser: ask, and see the answer and the gates that led to it.

    Parameters
    ----------
    run
        Folder of the run.
    host
        Where the page is; 0.0.0.0 for every address of this machine.
    port
        Where the page is; 0 for any port that is free.
    allow_host
        Another name under which the page is reached, for example behind a proxy; may be repeated.
    open
        Open the page in the browser.
    """
    if importlib.util.find_spec("gradio") is None:
        raise InputError("demo needs gradio: pip install 'keras-seq[demo]'.")
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq.demo import server
    from keras_seq.demo.app import application
    from keras_seq.demo.hosts import Hosts

    listening, address = server.listen(host, port)
    page = application(used, config, model, Hosts(host, allow_host))
    console.print(f"[bold]page[/] {address}")
    if open:
        webbrowser.open(address)
    server.serve(page, listening)


@app.command
def cache(name: str | None = None, *, clear: Annotated[bool, Parameter(negative="")] = False):
    """List the archives and prepared data sets that are kept on this machine, or remove them.

    Parameters
    ----------
    name
        Name of one of them, or its beginning up to a slash: ner is all that was prepared for ner.
    clear
        Remove them. Without a name, public data sets of TFDS stay.
    """
    from keras_seq.data import cache

    cache.clean()
    table = Table("name", "size", "last used", "path", "made from")
    found = cache.clear(name) if clear else cache.entries(name)
    for entry in found:
        table.add_row(*entry.texts())
    removed = "Removed:" if clear else ""
    console.print(removed, table) if found else console.print("There is nothing.")


@app.command
def cp(recipe: str, folder: Path):
    """Copy a recipe into a folder of your own, to edit; `keras-seq train ./FOLDER` runs it there.

    Parameters
    ----------
    recipe
        Name of the recipe.
    folder
        The folder to make.
    """
    source = recipes.find(recipe).folder
    if folder.exists():
        raise InputError(f"{folder} exists already.")
    with atomic_write(folder) as new:
        shutil.copytree(source, new, ignore=shutil.ignore_patterns("__pycache__", "results.json"))
    name = str(folder)
    name = name if recipes.is_folder(name) else os.path.join(os.curdir, name)  # noqa: PTH118
    console.print(f"Copied to {folder}; run it with: keras-seq train {shlex.quote(name)}")


def _asked(verb, tokens):
    """Recipe, options, preset and its config of `verb RECIPE`; None if only help was wanted."""
    if not tokens or tokens[0] in HELP:
        app.help_print([verb])
        return None
    recipe, options = recipes.find(tokens[0]), tokens[1:]
    preset = _value_of("--preset", options) or "default"
    return recipe, options, preset, recipe.preset(preset)


def _run_recipe(verb, name, function, options):
    """Parses the options of a verb for one recipe or run, and calls the function."""
    one = App(name=f"keras-seq {verb} {name}", version_flags=[], suppress_keyboard_interrupt=False)
    one.default(limited(function))
    one(options, **HANDLED_HERE)


def _begin(distribute):
    """Imports the backend; returns the `Devices` to train on, or None for TensorFlow's choice."""
    devices = startup.import_backend(lambda: distribution.devices_of(distribute))
    if devices is not None:
        console.print(f"Training on {devices}.")
    return devices


def _is_set(field, tokens):
    """Whether the options say what the value of a field is."""
    option = field.replace("_", "-")
    said = {token.partition("=")[0].replace("_", "-") for token in tokens}
    return bool(said & {f"--{option}", f"--no-{option}"})


def _value_of(option, tokens):
    """The value of an option, before the options are parsed."""
    for index, token in enumerate(tokens):
        name, equals, value = token.partition("=")
        if name == option:
            return value if equals else "".join(tokens[index + 1 : index + 2])
    return None


def _served(given):
    """Return the name and the folder of a model to serve; the folder of a run may not exist yet."""
    name, _, path = given.rpartition("=")
    folder = Path(path)
    if not folder.is_dir():
        raise InputError(f"There is no folder {path}.")
    if runs.Run(folder).started:
        run, folder = folder, folder / "savedmodel"
        name = name or runs.Run(run).recipe_name
        if not folder.exists() and (recipe_folder := runs.Run(run).recipe_folder):
            raise InputError(
                f"{run} is not exported yet, and its recipe is in the folder {recipe_folder}: "
                f"export it first, with `keras-seq export {run} --recipe {recipe_folder}`."
            )
    name = name or folder.resolve().name
    if not re.fullmatch(r"[\w.-]+", name):
        raise InputError(
            f"{name!r} cannot be the name of a model: only letters, digits, _, . and -."
        )
    return name, folder


def _with_defaults(config):
    """The class of a config with the values of the config as its defaults."""
    fields = [
        (field.name, field.type, dataclasses.field(default=getattr(config, field.name)))
        for field in dataclasses.fields(config)
    ]
    return dataclasses.make_dataclass(
        type(config).__name__,
        fields,
        bases=(type(config),),
        frozen=True,
        namespace={"__module__": type(config).__module__},
    )


def _check_unchanged(stored, given, run):
    """A run goes on with the config that it was started with."""
    for field in dataclasses.fields(stored):
        was, now = getattr(stored, field.name), getattr(given, field.name)
        if was != now:
            option = field.name.replace("_", "-")
            raise InputError(f"{run.folder} was started with --{option} {was}, not {now}.")


def _print_metrics(metrics):
    for split in ("train", "validation", "test"):
        if split in metrics:
            numbers = "  ".join(f"{name} {value:.4f}" for name, value in metrics[split].items())
            console.print(f"[bold]{split}[/] {numbers}")
