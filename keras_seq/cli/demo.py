"""`keras-seq demo`."""

import importlib.util
import webbrowser
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from keras_seq._internal.errors import InputError
from keras_seq.cli._common import RecipeOption, app, console, limited
from keras_seq.train import runs


@app.command
@limited
def demo(
    run: Path,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))] = 7860,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="")] = (),
    open: bool = True,
    recipe: RecipeOption = None,
) -> None:
    """Try a finished run in the browser: ask, and see the answer and the gates that led to it.

    Args:
        run: Folder of the run.
        host: Where the page is; 0.0.0.0 for every address of this machine.
        port: Where the page is; 0 for any port that is free.
        allow_host: Another name under which the page is reached, for example behind a proxy; may
            be repeated.
        open: Open the page in the browser.
    """
    if importlib.util.find_spec("gradio") is None:
        raise InputError("demo needs gradio: pip install 'keras-seq[demo]'.")
    used, config, model = runs.Run(run).load(recipe)
    from keras_seq.demo import server
    from keras_seq.demo.app import create_app
    from keras_seq.demo.hosts import Hosts

    listening, address = server.listen(host, port)
    page = create_app(used, config, model, Hosts(host, allow_host))
    console.print(f"[bold]page[/] {address}")
    if open:
        webbrowser.open(address)
    server.serve(page, listening)
