"""Writer of the table of recorded results in README.md: `python docs/results.py`."""

from pathlib import Path

from keras_seq.train import registry, results

README = Path(__file__).parent.parent / "README.md"
BEGIN = "<!-- results: written by `python docs/results.py` from the recipes' results.json -->\n"
END = "<!-- end of results -->"


def table() -> str:
    """Return the table in Markdown, one row per preset."""
    lines = ["| recipe | preset | seeds | test | minutes |", "| --- | --- | --- | --- | --- |"]
    for name, recipe in sorted(registry.list_recipes().items()):
        for row in results.summarize(recipe):
            lines.append(f"| [{name}](recipes/{name}) | {' | '.join(row)} |")
    return "\n".join(lines) + "\n"


def update(text: str) -> str:
    """Return the README with the current table."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    README.write_text(update(README.read_text()))
