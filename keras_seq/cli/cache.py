"""`keras-seq cache`."""

from keras_seq.cli._common import Flag, app, as_cell, console, make_table


@app.command
def cache(name: str | None = None, /, *, clear: Flag = False) -> None:
    """List or remove the downloaded archives and prepared datasets on this machine.

    Args:
        name: Name of an entry, or its beginning before a slash: "ner" selects all entries of the
            recipe ner. Default: all entries.
        clear: Remove the selected entries. Without NAME, public datasets of TFDS are kept.
    """
    from keras_seq.data import cache

    cache.remove_stale()
    entries = cache.clear(name) if clear else cache.list_entries(name)
    if not entries:
        console.print("The cache is empty.")
        return
    table = make_table("name", "size", "last used", "path", "made from")
    for entry in entries:
        table.add_row(*map(as_cell, entry.to_row()))
    console.print("Removed:" if clear else "", table)
