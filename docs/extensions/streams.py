"""Printed output of code cells, as it was printed.

IPython sends the output of `%%bash` in chunks of 100 bytes. With `nb_merge_streams`, myst-nb puts a
line break after each chunk. This extension merges them without.
"""

from typing import Any

from myst_nb.core import render
from sphinx.application import Sphinx


def merge_streams(outputs: list[Any]) -> list[Any]:
    """Return the outputs of a cell, with the chunks of each stream merged into its first one."""
    merged: list[Any] = []
    streams: dict[str, Any] = {}
    for output in outputs:
        if output["output_type"] != "stream":
            merged.append(output)
        elif output["name"] in streams:
            streams[output["name"]]["text"] += output["text"]
        else:
            streams[output["name"]] = output
            merged.append(output)
    return merged


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the extension."""
    render.coalesce_streams = merge_streams
    return {"parallel_read_safe": True}
