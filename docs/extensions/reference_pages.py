"""Sphinx extension that writes docs/reference before each build, and links to other folders.

The folder has the API reference, the list of all public names, and a page per recipe. Public names
are those of `__all__`, or the ones that a module without `__all__` defines.
"""

import importlib
import inspect
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:  # tests read this file without Sphinx
    from sphinx.application import Sphinx

DOCS = Path(__file__).parent.parent
ROOT = DOCS.parent
FOLDER = DOCS / "reference"


class Section(NamedTuple):
    """A page of the API reference."""

    page: str
    """Name of the page."""
    title: str
    module: str
    """Module with the public names."""
    folder: str = ""
    """Only names that are defined in this package. Without it: all that no other page has."""


SECTIONS = (
    Section("cells", "Cells", "keras_seq.cells"),
    Section("recurrent_layers", "Recurrent layers", "keras_seq.layers", "recurrent"),
    Section("attention_layers", "Attention layers", "keras_seq.layers", "attention"),
    Section("text_layers", "Text layers", "keras_seq.layers", "text"),
    Section("audio_layers", "Audio layers", "keras_seq.layers", "audio"),
    Section("layers", "CRF, convolution and pooling layers", "keras_seq.layers"),
    Section("losses", "Losses", "keras_seq.losses"),
    Section("models", "Models", "keras_seq.models"),
    Section("results", "Results of predictions", "keras_seq.models.results"),
    Section("text", "Text", "keras_seq.text"),
    Section("data", "Data", "keras_seq.data"),
    Section("limits", "Limits on input files", "keras_seq.data.limits"),
    Section("batching", "Batching", "keras_seq.batching"),
    Section("decoding", "Decoding", "keras_seq.decoding"),
    Section("scan", "Scan", "keras_seq.scan"),
    Section("tracing", "Tracing", "keras_seq.tracing"),
    Section("plots", "Plots of traces", "keras_seq.tracing.plots"),
    Section("train", "Training of recipes", "keras_seq.train"),
    Section("recipe", "Recipe interface", "keras_seq.train.recipe"),
    Section("config", "Config", "keras_seq.train.config"),
    Section("optimizers", "Optimizers", "keras_seq.train.optimizers"),
    Section("tuning", "Tuning", "keras_seq.tuning"),
    Section("export", "Export", "keras_seq.export"),
    Section("serving", "Serving", "keras_seq.serving"),
    Section("migration", "Migration of weights", "keras_seq.migration"),
    Section("errors", "Errors", "keras_seq"),
)


def public_names(module: Any) -> list[str]:
    """Return the public names of a module, without those of modules."""
    names = getattr(module, "__all__", None) or [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
        if inspect.isclass(thing) or inspect.isfunction(thing)
    ]
    return sorted(
        (name for name in names if not inspect.ismodule(getattr(module, name))),
        key=lambda name: (not inspect.isclass(getattr(module, name)), name.lower()),
    )


def names_by_section() -> dict[Section, list[str]]:
    """Return the names on each page: all public names, each once."""
    pages: dict[Section, list[str]] = {}
    written: set[Any] = set()
    # A page of one folder comes before the page with the rest of the package.
    for section in SECTIONS:
        module = importlib.import_module(section.module)
        pages[section] = []
        for name in public_names(module):
            thing = getattr(module, name)
            key = thing if inspect.isclass(thing) or inspect.isfunction(thing) else (module, name)
            is_here = (
                f"{section.module}.{section.folder}." in f"{key.__module__}."
                if (section.folder)
                else True
            )
            if is_here and key not in written:
                written.add(key)
                pages[section].append(name)
    return pages


def public_objects() -> dict[str, Any]:
    """Return all public objects of the reference by their public names."""
    return {
        f"{section.module}.{name}": getattr(importlib.import_module(section.module), name)
        for section, names in names_by_section().items()
        for name in names
    }


def api_page(section: Section, names: list[str]) -> str:
    """Return a page of the API reference."""
    module = importlib.import_module(section.module)
    lines = [f"# {section.title}", "", f"`{section.module}`", ""]
    if not section.folder and module.__doc__ and len(names) > 1:
        lines += [module.__doc__.strip(), ""]
    directive = "currentmodule" if section.folder else "module"
    lines += ["```{eval-rst}", f".. py:{directive}:: {section.module}", ""]
    for name in names:
        thing = getattr(module, name)
        kind = "class" if inspect.isclass(thing) else "function"
        kind = kind if inspect.isclass(thing) or inspect.isroutine(thing) else "data"
        lines += [f".. auto{kind}:: {section.module}.{name}"]
        if kind == "class":
            lines += ["   :members:", "   :show-inheritance:"]
            lines += [f"   :inherited-members: {', '.join(foreign_bases(thing))}"]
        lines.append("")
    return "\n".join([*lines, "```", ""])


def api_index() -> str:
    """Return the first page of the API reference."""
    pages = "\n".join(f"{section.title} <{section.page}>" for section in SECTIONS)
    return f"# API reference\n\n```{{toctree}}\n:maxdepth: 2\n\n{pages}\n```\n"


def foreign_bases(thing: type) -> list[str]:
    """Return the names of the base classes of other libraries, which have their own pages."""
    bases = thing.__mro__[1:]
    return list(
        dict.fromkeys(b.__name__ for b in bases if not b.__module__.startswith("keras_seq"))
    )


def overview() -> str:
    """Return the page of all public names, with a line for each."""
    lines = ["# All of keras-seq", "", "Every public class and function, in one line each.", ""]
    for section, names in names_by_section().items():
        module = importlib.import_module(section.module)
        lines += [f"## {section.title}", "", f"| [`{section.module}`]({section.page}.md) | |"]
        lines += ["| --- | --- |"]
        for name in names:
            path = f"{section.module}.{name}"
            text = summary(getattr(module, name)).replace("|", r"\|")
            lines.append(f"| {{py:obj}}`{name} <{path}>` | {text} |")
        lines.append("")
    return "\n".join(lines)


def summary(thing: Any) -> str:
    """Return the first paragraph of a docstring, or nothing for a constant."""
    if not (inspect.isclass(thing) or inspect.isroutine(thing)):
        return ""
    first = (inspect.getdoc(thing) or "").split("\n\n")[0]
    return " ".join(first.split())


def copied_page(file: Path) -> str:
    """Return a Markdown file of another folder, with its links changed to the site's."""
    return rewrite_links(file.read_text("utf-8"), file.parent, FOLDER)


def rewrite_links(text: str, origin: Path, folder: Path) -> str:
    """Return a text whose relative links to files outside of docs lead to pages of the site.

    Args:
        text: Text in Markdown.
        origin: Folder that the links are relative to.
        folder: Folder of the page with the text.
    """

    def replace(match: re.Match[str]) -> str:
        label, path, anchor = match.groups()
        file = (origin / path).resolve()
        if "://" in path or not file.exists():
            return match.group()
        target = PAGES.get(file)
        if target is None and file.is_dir():
            return label.strip("[]!")
        relative = os.path.relpath(target or file, folder)
        return f"{label}({Path(relative).as_posix()}{anchor or ''})"

    return re.sub(r"(!?\[[^\]]*\])\(([^)\s#]+)(#[^)\s]+)?\)", replace, text)


RECIPES = sorted(file.parent for file in (ROOT / "recipes").glob("*/README.md"))
PAGES = {
    ROOT / "README.md": DOCS / "index.md",
    ROOT / "CONTRIBUTING.md": FOLDER / "contributing.md",
    ROOT / "CHANGELOG.md": FOLDER / "changelog.md",
    ROOT / "recipes": DOCS / "results.md",
    DOCS: DOCS / "index.md",
    **{folder: FOLDER / f"{folder.name}_recipe.md" for folder in RECIPES},
    **{folder / "README.md": FOLDER / f"{folder.name}_recipe.md" for folder in RECIPES},
    **{
        ROOT / section.module.replace(".", "/"): FOLDER / f"{section.page}.md"
        for section in SECTIONS
        if not section.folder
    },
}
"""Page of the site for a file or folder of the repository."""


def write_pages(app: "Sphinx") -> None:
    """Write docs/reference, without touching files that stay the same."""
    pages = {f"{s.page}.md": api_page(s, names) for s, names in names_by_section().items()}
    pages |= {f"{folder.name}_recipe.md": copied_page(folder / "README.md") for folder in RECIPES}
    pages |= {f"{name.lower()}.md": copied_page(ROOT / f"{name}.md") for name in COPIED}
    pages["overview.md"] = overview()
    pages["index.md"] = api_index()
    FOLDER.mkdir(exist_ok=True)
    for file in FOLDER.iterdir():
        if file.name not in pages:
            shutil.rmtree(file) if file.is_dir() else file.unlink()
    for name, text in pages.items():
        file = FOLDER / name
        if not file.exists() or file.read_text("utf-8") != text:
            file.write_text(text, "utf-8")


COPIED = ("CONTRIBUTING", "CHANGELOG")
"""Files of the main folder that are pages of the site."""


def link_to_pages(app: "Sphinx", page: str, content: list[str]) -> None:
    """Change the links of a page of docs to files of other folders."""
    file = Path(app.env.doc2path(page))
    if file.parent != FOLDER:
        content[0] = rewrite_links(content[0], file.parent, file.parent)


def setup(app: "Sphinx") -> dict[str, Any]:
    """Write the pages at the start of a build, and change links of all others."""
    app.connect("config-inited", lambda app, _: write_pages(app))
    app.connect("source-read", link_to_pages)
    return {"parallel_read_safe": True}
