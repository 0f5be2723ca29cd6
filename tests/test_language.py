"""Language of the repository: wording, docstrings, examples and types.

Everything is read from the source by `ast` or as text. Nothing is imported.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("keras_seq", "recipes", "benchmarks", "docs", "tests", ".ci", ".github")
SUFFIXES = {".py", ".md", ".toml", ".cfg", ".yaml", ".yml", ".cff", ".html", ""}
THIS_FILE = Path(__file__)

BANNED = {
    r"\banew\b": "again",
    r"\bafresh\b": "again",
    r"\bforet(?:ell\w*|old)\b": "predict",
    r"\bbeside\b": "next to, or in addition to",
    r"(?<!there )\b(?:is|are|was|were) no (?!more\b|less\b|\w+er\b)": "is not a",
    r"\bso it is[.:]": "name the condition",
    r"\bfor who\b": "for those who",
    r"\bin vain\b": "without effect",
    r"\bbut for\b": "except for",
    r"\bcould but\b": "could only",
    r"\bcome[s]? upon\b": "finds",
    r"\b(?:hearings|blots)\b": "the term of the field",
    r"\d \w+s an? (?:batch|direction|epoch|language|second|step|token|update|word)\b": "per",
    r"\b(?:thereof|therein|whereof|whereby|whence|hitherto)\b": "a plain word",
}
"""Phrases that a reader has to decode, as regular expressions, and what to write instead."""

ALLOWED: dict[tuple[str, str], str] = {}
"""File and matched text of phrases that stay, with the reason."""

NO_EXAMPLE: dict[str, str] = {}
"""Public classes without a doctest example, with the reason why none is quick."""

OVERRIDES = {
    # keras.layers.Layer and its cells
    *("build", "call", "from_config", "get_config", "get_initial_state", "inner_loop"),
    *("compute_mask", "compute_output_shape", "compute_output_spec", "project", "step"),
    # keras.metrics.Metric, keras.callbacks.Callback
    *("reset_state", "result", "update_state"),
    *("on_epoch_begin", "on_epoch_end", "on_train_batch_end", "on_train_begin", "on_train_end"),
    # keras_tuner.Oracle and keras_tuner.Tuner
    *("create_trial", "end_trial", "get_state", "populate_space", "random_values", "save"),
    *("save_trial", "score_trial", "set_state", "update_trial"),
    # asyncio.Protocol, uvicorn.Server and httptools
    *("connection_lost", "connection_made", "data_received", "shutdown"),
    *("on_body", "on_headers_complete", "on_message_begin", "on_message_complete"),
    *("on_response_complete",),
    # torch.autograd.Function
    *("backward", "forward"),
    # keras_seq.train.config.Config
    *("check_files",),
}
"""Methods that a base class documents."""

VAGUE_NAMES = {"found", "given", "here", "made", "one", "said", "there"}
"""Names of variables and arguments that say nothing about the value."""

FIRST_WORD = re.compile(r"(?:What|How|Whether|Who|Where|That|Which|When)\b")
OF_LINE = re.compile(r"^\s*\*{0,2}\w+(?: \([^)]*\))?: Of\b", re.MULTILINE)


class Definition(NamedTuple):
    """A module, class or function of the source."""

    path: str
    node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    is_public: bool
    """Whether its name and those of all that contain it are public, and it is not in a function."""

    @property
    def place(self) -> str:
        return f"{self.path}:{getattr(self.node, 'lineno', 1)}"


def definitions(folders: tuple[str, ...]) -> Iterator[Definition]:
    """Yield the modules, classes and functions of all Python files in these folders."""
    for folder in folders:
        for file in sorted((ROOT / folder).rglob("*.py")):
            path = str(file.relative_to(ROOT))
            tree = ast.parse(file.read_text("utf-8"))
            yield from walk(path, tree, is_public_path(path))


def is_public_path(path: str) -> bool:
    names = Path(path).with_suffix("").parts
    return all(not name.startswith("_") or name == "__init__" for name in names)


def walk(path: str, node: ast.AST, is_public: bool) -> Iterator[Definition]:
    """Yield a node, if it defines something, and the definitions in it."""
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
        name = getattr(node, "name", "")
        is_public = is_public and (not name.startswith("_") or name in ("__init__", "__call__"))
        yield Definition(path, node, is_public)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            is_public = False
    for child in ast.iter_child_nodes(node):
        yield from walk(path, child, is_public)


def texts() -> Iterator[tuple[str, str]]:
    """Yield path and content of all texts that people write here."""
    files = [file for file in ROOT.iterdir() if file.suffix in SUFFIXES and file.suffix]
    for folder in FOLDERS:
        files += (ROOT / folder).rglob("*")
    for file in sorted(files):
        is_ours = file.suffix in SUFFIXES and "__pycache__" not in file.parts and file != THIS_FILE
        is_ours = is_ours and file.parent != ROOT / "docs/reference"  # generated
        if is_ours and file.is_file():
            yield file.relative_to(ROOT).as_posix(), file.read_text("utf-8")


@pytest.fixture(scope="module")
def source() -> list[Definition]:
    return list(definitions(("keras_seq", "recipes", "benchmarks", "docs")))


def test_no_banned_phrase():
    banned = re.compile("|".join(BANNED), re.IGNORECASE)
    broken = [
        f"{path}:{text.count(chr(10), 0, match.start()) + 1}: {match.group()}"
        for path, text in texts()
        for match in banned.finditer(text)
        if (path, match.group()) not in ALLOWED
    ]
    assert not broken, "\n".join(broken)


def test_docstrings_begin_with_a_verb_or_a_noun(source):
    broken = [
        f"{definition.place}: {docstring.splitlines()[0]}"
        for definition in [*source, *definitions(("tests",))]
        if FIRST_WORD.match(docstring := ast.get_docstring(definition.node) or "")
    ]
    assert not broken, "\n".join(broken)


def test_argument_descriptions_begin_with_a_noun_or_an_adjective(source):
    broken = [
        f"{definition.place}: {match.group().strip()}"
        for definition in source
        for match in OF_LINE.finditer(ast.get_docstring(definition.node) or "")
    ]
    assert not broken, "\n".join(broken)


def test_public_methods_have_docstrings(source):
    """ruff asks this of classes and functions (D101, D103), but cannot leave out overrides."""
    broken = [
        definition.place
        for definition in source
        if definition.path.startswith(("keras_seq", "recipes"))
        and definition.is_public
        and not isinstance(definition.node, ast.Module)
        and definition.node.name not in {*OVERRIDES, "__init__", "__call__"}
        and not ast.get_docstring(definition.node)
    ]
    assert not broken, "\n".join(broken)


def test_names_say_what_the_value_is(source):
    broken = [
        f"{definition.path}:{node.lineno}: {name}"
        for definition in source
        if isinstance(definition.node, ast.Module)
        for node, name in variables(definition.node)
        if name in VAGUE_NAMES
    ]
    assert not broken, "\n".join(broken)


def variables(module: ast.Module) -> Iterator[tuple[ast.Name | ast.arg, str]]:
    """Yield the nodes and names of all variables and arguments."""
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id
        elif isinstance(node, ast.arg):
            yield node, node.arg


def test_public_classes_have_an_example(source):
    public = {
        (definition.path.removesuffix("/__init__.py"), name)
        for definition in source
        if isinstance(definition.node, ast.Module)
        and definition.is_public
        and re.fullmatch(r"keras_seq/.*__init__\.py", definition.path)
        for name in all_names(definition.node)
    }
    classes = [
        (definition.node.name, definition)
        for definition in source
        if isinstance(definition.node, ast.ClassDef)
        and any(
            name == definition.node.name and definition.path.startswith(f"{folder}/")
            for folder, name in public
        )
    ]
    missing = {
        name: definition.place
        for name, definition in classes
        if ">>> " not in (ast.get_docstring(definition.node) or "")
    }
    assert missing.keys() >= NO_EXAMPLE.keys(), "a class of NO_EXAMPLE has an example"
    broken = [place for name, place in missing.items() if name not in NO_EXAMPLE]
    assert not broken, "\n".join(broken)


def all_names(module: ast.Module) -> list[str]:
    """Return the names in `__all__` of a module."""
    for node in module.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [name for name in ast.literal_eval(node.value) if isinstance(name, str)]
    return []


@pytest.mark.parametrize(("kind", "minimum"), [("public", 0.98), ("all", 0.90)])
def test_parameters_and_returns_are_typed(source, kind, minimum):
    num_typed, missing = 0, []
    for definition in source:
        if definition.path.startswith(("keras_seq", "recipes")) and (
            definition.is_public or kind == "all"
        ):
            for name, annotation in annotations(definition.node):
                if annotation is None:
                    missing.append(f"{definition.place}: {name}")
                else:
                    num_typed += 1
    fraction = num_typed / (num_typed + len(missing))
    assert fraction >= minimum, f"{fraction:.1%} of {kind} are typed\n" + "\n".join(missing)


def annotations(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield name and annotation of each parameter, and of the return value but of `__init__`."""
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        arguments = node.args
        for argument in [
            *(*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs),
            *filter(None, (arguments.vararg, arguments.kwarg)),
        ]:
            if argument.arg not in ("self", "cls"):
                yield argument.arg, argument.annotation
        if node.name != "__init__":
            yield "return", node.returns


def test_the_rules_find_what_breaks_them():
    banned = re.compile("|".join(BANNED), re.IGNORECASE)
    for phrase in (
        "trained anew",
        "So it is.",
        "it is no mask",
        "come upon",
        "64 units a direction",
    ):
        assert banned.search(phrase), phrase
    for phrase in ("besides", "is no longer", "is no larger", "there is no mask", "but forward"):
        assert not banned.search(phrase), phrase
    assert OF_LINE.search("Args:\n    seed: Of the weights.")
    assert FIRST_WORD.match("Whether it is.") and not FIRST_WORD.match("Whatever.")
    function = ast.parse("def f(a, *b: int, c=1, **d) -> int: ...").body[0]
    assert [name for name, typed in annotations(function) if typed] == ["b", "return"]
    assert all_names(ast.parse("__all__ = ['A', 'b']")) == ["A", "b"]
