"""Command lines in README, docs and recipes: each is parsed, and none is run."""

import functools
import re
import shlex
from pathlib import Path

import pytest

from keras_seq.cli import _two_stages, predict, train
from keras_seq.cli.app import app
from keras_seq.train import registry
from keras_seq.train.runs import Run

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("docs/guides/*.md")]
PAGES += [*ROOT.glob("docs/experiments/*.md"), *ROOT.glob("recipes/*/README.md")]
TWO_STAGES = {"data", "predict", "train", "tune"}
"""Commands that parse their words themselves."""
COPIES = {"./my_digits": "mnist_rows", "./my_ner": "ner"}
"""Recipes that pages copy."""
WRITTEN = {"./parity", "runs/parity/default"}
"""Recipe that a guide writes, and its run. The guide runs these commands."""

parse = functools.partial(app.parse_args, exit_on_error=False, print_error=False)


def commands(text):
    """Yield the words of each `keras-seq` command in the code blocks of a page."""
    for block in re.findall(r"^```.*?\n(.*?)^```", text.replace("\\\n", " "), re.S | re.M):
        for line in re.findall(r"^(?:\$ |!|\.venv/bin/)*(keras-seq .*)$", block, re.M):
            line = re.sub(r"\d?>(?:&\d|\s*\S+)", "", line)  # redirections
            lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;")
            lexer.whitespace_split = True
            words = []
            for word in [*lexer, "&&"]:
                if set(word) <= set("|&;"):
                    if words[:1] == ["keras-seq"]:
                        yield words[1:]
                    words = []
                else:
                    words.append(word)


ALL: dict[str, Path] = {
    shlex.join(COPIES.get(word, word) for word in words): page
    for page in PAGES
    for words in commands(page.read_text("utf-8"))
    if not WRITTEN & {*words}
}
"""First page of each command line."""


def parse_second_stage(self, tokens, **_):
    self.parse_args(tokens, exit_on_error=False, print_error=False)


@pytest.fixture
def no_files(monkeypatch):
    """Parse the options of recipes without runs and files."""
    monkeypatch.setattr(_two_stages.App, "__call__", parse_second_stage)
    monkeypatch.setattr(
        train.FirstStage,
        "get_defaults",
        lambda self, recipe: (self.preset or "default", recipe.preset(self.preset or "default")),
    )
    monkeypatch.setattr(
        Run, "read_config", lambda self, _=None: (registry.find(self.folder.parent.name), None, {})
    )
    monkeypatch.setattr(Run, "ensure_model", lambda self: None)
    monkeypatch.setattr(predict, "_check_files", lambda options: None)


def check(line):
    function, bound, _ = parse(shlex.split(line))
    if line.split()[0] in TWO_STAGES:
        function(*bound.args, **bound.kwargs)


@pytest.mark.usefixtures("no_files")
def test_options_of_the_commands_exist(capsys):
    broken = []
    for line, page in ALL.items():
        try:
            check(line)
        except Exception as error:
            broken.append(f"{page.relative_to(ROOT)}: keras-seq {line}: {error}")
    assert not broken, "\n".join(broken)
    assert len(ALL) > 100
    with capsys.disabled():
        print(f"{len(ALL)} command lines are parsed")


@pytest.mark.usefixtures("no_files")
@pytest.mark.parametrize(
    "line",
    [
        "train mnist_rows --unit 3",
        "predict runs/music/default 0 --beam-widht 3",
        "export runs/ner/default --formats onnx",
        "data ner x.conll --separator ,",
        "tune ner --trial 3",
    ],
)
def test_unknown_options_are_found(line):
    with pytest.raises(Exception, match=re.escape(line.split("--")[1].split()[0])):
        check(line)


def test_commands_are_taken_out_of_lines():
    page = (
        "```sh\n$ keras-seq ls && keras-seq runs a > b # c\nx | keras-seq cache\n```\nkeras-seq d"
    )
    assert list(commands(page)) == [["ls"], ["runs", "a"]]
