import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_every_package_is_installed():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = [
        ".".join(file.parent.relative_to(ROOT).parts)
        for top in ("keras_seq", "recipes")
        for file in (ROOT / top).rglob("__init__.py")
    ]
    installed = [
        name.replace("keras_seq_recipes", "recipes")
        for name in project["tool"]["setuptools"]["packages"]
    ]
    assert sorted(packages) == sorted(installed)


def test_every_recipe_is_registered():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {file.parent.name for file in (ROOT / "recipes").glob("*/config.py")}
    assert set(project["project"]["entry-points"]["keras_seq.recipes"]) == folders


def test_types_are_packaged():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert (ROOT / "keras_seq/py.typed").exists()
    assert "py.typed" in project["tool"]["setuptools"]["package-data"]["*"]


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text()
    init = (ROOT / "keras_seq/__init__.py").read_text()
    version = re.search(r'__version__ = "(.*)"', init)[1]
    assert f"\nversion: {version}\n" in citation
