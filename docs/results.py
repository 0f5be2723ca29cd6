"""Writes the table of recorded results into the README: `python docs/results.py`."""

from pathlib import Path

from keras_seq.train import registry, results

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- results: written by `python docs/results.py` from the recipes' results.json -->\n"
END = "<!-- end of results -->"


def table():
    """The table in Markdown, a row a preset."""
    lines = ["| recipe | preset | seeds | test | minutes |", "| --- | --- | --- | --- | --- |"]
    for name, found in sorted(registry.recipes().items()):
        for row in results.summary(found):
            lines.append(f"| [{name}](recipes/{name}) | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def renewed(text):
    """The README with today's table in it."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(renewed(README.read_text()))
