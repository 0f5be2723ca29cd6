"""Imports of the recipes, which a user may copy and edit."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "recipes"


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda path: path.parent.name)
def test_recipes_import_public_names_only(path):
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module or ''}.{alias.name}" for alias in node.names]
    private = [name for name in names if any(part.startswith("_") for part in name.split("."))]
    assert not [name for name in private if not name.startswith("__future__")]
