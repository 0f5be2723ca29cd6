"""`keras-seq cache`."""

from typing import Annotated

from cyclopts import Parameter
from rich.table import Table

from keras_seq.cli._common import app, console


@app.command
def cache(
    name: str | None = None, *, clear: Annotated[bool, Parameter(negative="")] = False
) -> None:
    """List the archives and prepared data sets that are kept on this machine, or remove them.

    Args:
        name: Name of one of them, or its beginning up to a slash: ner is all that was prepared for
            ner.
        clear: Remove them. Without a name, public data sets of TFDS stay.
    """
    from keras_seq.data import cache

    cache.remove_stale()
    entries = cache.clear(name) if clear else cache.list_entries(name)
    if not entries:
        console.print("There is nothing.")
        return
    table = Table("name", "size", "last used", "path", "made from")
    for entry in entries:
        table.add_row(*entry.to_row())
    console.print("Removed:" if clear else "", table)
