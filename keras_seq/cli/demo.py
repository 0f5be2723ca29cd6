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
    """Serve a web page to try a finished run and to see its predictions and gates.

    Args:
        run: Folder of the run.
        host: Address to listen on. 0.0.0.0 listens on all addresses of this machine.
        port: Port to listen on, 0 to 65535. 0 selects a free port.
        allow_host: Further host name of the page, for example behind a proxy. May be repeated.
        open: Open the page in the browser.
        recipe: Folder of the run's recipe, if it is not registered. Its code is executed.
    """
    if importlib.util.find_spec("gradio") is None:
        raise InputError("The demo needs gradio. Install it with: pip install 'keras-seq[demo]'.")
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
