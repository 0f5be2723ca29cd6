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
    /,
    *,
    host: str = "127.0.0.1",
    port: Annotated[int, Parameter(validator=validators.Number(gte=0, lte=65_535))] = 7860,
    allow_host: Annotated[tuple[str, ...], Parameter(negative="", show_default=False)] = (),
    open: bool = True,
    recipe: RecipeOption = None,
) -> None:
    """Serve a web page to try a finished run on your inputs and to see its gates.

    Args:
        run: Folder of the run.
        host: Host name or address to listen on; 0.0.0.0 for all addresses of this machine.
        port: Port to listen on, 0 to 65535; 0 for any free port.
        allow_host: Further host name under which the page is opened, such as that of a proxy. May
            be repeated.
        open: Open the page in the browser.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    if any(importlib.util.find_spec(name) is None for name in ("gradio", "httptools")):
        raise InputError(
            "The demo needs gradio and httptools. Install them with: pip install 'keras-seq[demo]'."
        )
    loaded, config, model = runs.Run(run).load(recipe)
    from keras_seq.demo import server
    from keras_seq.demo.app import create_app
    from keras_seq.demo.hosts import Hosts

    listening, address = server.listen(host, port)
    page = create_app(loaded, config, model, Hosts(host, allow_host))
    console.print(f"[bold]page[/] {address}")
    if open:
        webbrowser.open(address)
    server.serve(page, listening)
