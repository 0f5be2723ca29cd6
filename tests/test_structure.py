"""Structure of the code: import direction, length of files, number of arguments.

Known violations that are to be fixed are listed in the `TEMPORARY` constants. Permanent exceptions
are listed with their reason.
"""

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent
FOLDERS = ("keras_seq", "recipes", "benchmarks")

MAX_LINES = 350
MAX_ARGUMENTS = 12

CHAIN = ("cells", "scan", "layers", "models", "train", "cli")
"""Packages in order: none imports a later one."""
APPLICATIONS = {"train", "tuning", "serving", "demo", "cli", "recipes", "benchmarks"}
"""Packages for runs, services and commands."""
EVERYTHING = "everything"

FORBIDDEN: dict[str, set[str] | str] = {
    "_internal": EVERYTHING,
    "cells": EVERYTHING,
    "scan": APPLICATIONS,
    "text": APPLICATIONS,
    "data": APPLICATIONS,
    "losses": APPLICATIONS,
    "layers": APPLICATIONS,
    "batching": APPLICATIONS,
    "decoding": APPLICATIONS,
    "migration": APPLICATIONS,
    "models": {*APPLICATIONS, "export", "data"},
    "tracing": APPLICATIONS,
    "export": APPLICATIONS,
    "train": {"recipes", "benchmarks"},
    "tuning": {"recipes", "benchmarks"},
    "serving": {"recipes", "benchmarks"},
    "demo": {"recipes", "benchmarks"},
    "cli": {"recipes", "benchmarks"},
    "recipes": {"cli", "benchmarks"},
}
"""Packages that each package must not import. `_internal` is allowed everywhere."""

MANY_ARGUMENTS = {
    "keras_seq.cells.base.RecurrentCell.__init__": "those of the cells of Keras",
    "keras_seq.models.base.BaseModel.fit": "those of `keras.Model.fit`",
}
"""Constructors and functions with more arguments, and the reason."""

TEMPORARY_IMPORTS: set[tuple[str, str]] = set()
TEMPORARY_LENGTHS: set[str] = set()
TEMPORARY_ARGUMENTS: set[str] = set()


class Import(NamedTuple):
    """Import of one module by another."""

    source: str
    target: str
    only_for_types: bool
    """Whether it is inside `if TYPE_CHECKING`."""


def module_name(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {
    module_name(path.relative_to(ROOT)): path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*.py"))
}


@functools.cache
def trees() -> dict[str, ast.Module]:
    """Return the syntax tree of each module."""
    return {module: ast.parse(path.read_text()) for module, path in MODULES.items()}


def imports(module: str, is_package: bool, tree: ast.AST, modules: set[str]) -> Iterator[Import]:
    """Yield all imports of `modules` in a module, those inside functions included."""
    typed = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inside in ast.walk(node)
    }
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            # Names imported from a package can be modules.
            paths = [f"{origin}.{alias.name}" for alias in node.names]
            names = [path if path in modules else origin for path in paths]
        for name in dict.fromkeys(names):
            if name in modules and name != module:
                yield Import(module, name, id(node) in typed)


@functools.cache
def all_imports() -> list[Import]:
    """Return the imports of all modules."""
    return [
        import_
        for module, tree in trees().items()
        for import_ in imports(module, MODULES[module].name == "__init__.py", tree, set(MODULES))
    ]


def package_of(module: str) -> str:
    """Return the package below keras_seq, or another top-level folder; "" for keras_seq itself."""
    first, *rest = module.split(".")
    return first if first != "keras_seq" else next(iter(rest), "")


def is_forbidden(source: str, target: str) -> bool:
    """Return whether a package must not import another."""
    if source == target or target == "_internal":
        return False
    if source in CHAIN and target in CHAIN and CHAIN.index(source) < CHAIN.index(target):
        return True
    never = FORBIDDEN.get(source, set())
    return never == EVERYTHING or target in never


def circles(edges: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that import each other, directly or indirectly."""
    reached: dict[str, set[str]] = {}
    for start in edges:
        seen: set[str] = set()
        waiting = list(edges[start])
        while waiting:
            module = waiting.pop()
            if module not in seen:
                seen.add(module)
                waiting += edges.get(module, ())
        reached[start] = seen
    groups = {
        tuple(sorted(b for b in reached[a] if a in reached.get(b, ())))
        for a in edges
        if a in reached[a]
    }
    return [list(group) for group in sorted(groups)]


def functions(
    tree: ast.AST, prefix: str
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef, bool]]:
    """Yield path, node and `is_method` of all functions except nested ones."""
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.ClassDef):
            for path, function, _ in functions(node, f"{prefix}.{node.name}"):
                yield path, function, True
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield f"{prefix}.{node.name}", node, False


def num_arguments(function: ast.FunctionDef | ast.AsyncFunctionDef, is_method: bool) -> int:
    """Return the number of named arguments except `self` and `cls`."""
    arguments = [*function.args.posonlyargs, *function.args.args]
    if is_method and arguments and arguments[0].arg in ("self", "cls"):
        arguments = arguments[1:]
    return len(arguments) + len(function.args.kwonlyargs)


def is_public(path: str) -> bool:
    return all(not name.startswith("_") or name == "__init__" for name in path.split("."))


def check(broken: set, temporary: set, rule: str) -> None:
    """Compare the violations of a rule with the known ones."""
    assert not broken - temporary, f"{rule}: {sorted(broken - temporary)}"
    fixed = sorted(temporary - broken)
    assert not fixed, f"remove fixed violations from the temporary exceptions: {fixed}"


# The rules.


def test_packages_import_in_one_direction():
    broken = {
        (source, target)
        for source, target, _ in all_imports()
        if is_forbidden(package_of(source), package_of(target))
    }
    check(broken, TEMPORARY_IMPORTS, "forbidden imports")


def test_no_modules_import_each_other():
    edges: dict[str, set[str]] = {module: set() for module in MODULES}
    for source, target, only_for_types in all_imports():
        if not only_for_types:
            edges[source].add(target)
    assert not circles(edges)


def test_files_are_short():
    paths = [path for module, path in MODULES.items() if module.startswith("keras_seq")]
    broken = {
        str(path.relative_to(ROOT))
        for path in paths
        if len(path.read_text().splitlines()) > MAX_LINES
    }
    check(broken, TEMPORARY_LENGTHS, f"files of more than {MAX_LINES} lines")


def test_functions_have_few_arguments():
    broken = {
        path
        for module, tree in trees().items()
        if not module.startswith("benchmarks")
        for path, function, is_method in functions(tree, module)
        if is_public(path.removeprefix(module)[1:])
        and num_arguments(function, is_method) > MAX_ARGUMENTS
    }
    assert set(MANY_ARGUMENTS) <= broken
    broken -= set(MANY_ARGUMENTS)
    check(broken, TEMPORARY_ARGUMENTS, f"functions of more than {MAX_ARGUMENTS} arguments")


# Tests of the rules themselves.

SOURCE = """
from typing import TYPE_CHECKING
import a.b, json
from . import c, name
from ..b import other
if TYPE_CHECKING:
    from a import d
def late():
    from a.b.e import name
"""


def test_all_kinds_of_imports_are_found():
    modules = {"a", "a.b", "a.b.c", "a.b.e", "a.d", "a.b.f"}
    all_imports = set(imports("a.b.f", False, ast.parse(SOURCE), modules))
    targets = {"a.b": False, "a.b.c": False, "a.b.e": False, "a.d": True}
    assert all_imports == {Import("a.b.f", target, typed) for target, typed in targets.items()}
    assert set(imports("a.b", True, ast.parse("from . import c"), modules)) == {
        Import("a.b", "a.b.c", False)
    }


@pytest.mark.parametrize(
    ("source", "target", "forbidden"),
    [
        ("cells", "scan", True),
        ("scan", "cells", False),
        ("layers", "models", True),
        ("models", "export", True),
        ("export", "models", False),
        ("text", "recipes", True),
        ("cells", "_internal", False),
        ("_internal", "text", True),
        ("recipes", "train", False),
        ("train", "cli", True),
    ],
)
def test_forbidden_directions(source, target, forbidden):
    assert is_forbidden(source, target) is forbidden


def test_circles_are_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_arguments_are_counted():
    source = "class A:\n def f(self, a, /, b, *c, d=1, **e): pass\ndef g(self): pass"
    counted = {
        path: num_arguments(f, is_method)
        for path, f, is_method in functions(ast.parse(source), "m")
    }
    assert counted == {"m.A.f": 3, "m.g": 1}
    assert is_public("A.f") and is_public("A.__init__") and not is_public("_A.f")


def test_fixed_exceptions_are_reported():
    check({"a"}, {"a"}, "rule")
    with pytest.raises(AssertionError, match=r"rule: \['b'\]"):
        check({"a", "b"}, {"a"}, "rule")
    with pytest.raises(AssertionError, match=r"from the temporary exceptions: \['b'\]"):
        check({"a"}, {"a", "b"}, "rule")
