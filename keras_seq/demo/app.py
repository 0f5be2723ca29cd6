"""Demo page of a finished run as an ASGI application: answers and layer traces."""

import contextlib
import html
import os
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import fastapi
import gradio as gr
from PIL import Image
from starlette.types import ASGIApp

from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.demo.folder import RETENTION_SECONDS, PageFolder
from keras_seq.demo.gate import GateMiddleware, RequestError, RequestLimits
from keras_seq.demo.hosts import HostMiddleware, Hosts
from keras_seq.demo.panels import Answer, make_panel
from keras_seq.tracing.page import render_page
from keras_seq.tracing.trace import trace

if TYPE_CHECKING:
    from keras_seq.train.config import Config
    from keras_seq.train.recipe import Recipe

GRADIO_OPTIONS: dict[str, Any] = {
    "footer_links": [],
    "run_history": False,
    "ssr_mode": False,
    "pwa": False,
}
"""Options of Gradio: no links to other hosts, no history in the browser, no Node server."""

MODEL_QUEUE: dict[str, Any] = {"concurrency_id": "model", "concurrency_limit": 1}
"""Options of Gradio event listeners: the model is called by one listener at a time."""

MAX_WAITING = 16
"""Maximum number of waiting questions."""

MAX_WAITING_PER_ADDRESS = 2
"""Maximum number of waiting questions from one address."""

MAX_SESSIONS = 50
"""Maximum number of visitors whose last answer is kept."""

DATA_LIMITS = {
    "max_audio_seconds": 60,
    "max_decoding_seconds": 20,
    "max_file_bytes": RequestLimits.max_upload_bytes,
    "max_pixels": 12_000_000,
    "max_sample_rate": 192_000,
    "max_unpacked_bytes": 5 * RequestLimits.max_upload_bytes,
    "max_video_frames": 3_000,
    "max_video_seconds": 60,
}
"""Limits on uploaded files, see `keras_seq.data.limits.DataLimits`."""

IFRAME = (
    '<iframe srcdoc="{}" style="width:100%;height:60vh;border:0;background:white" onload="'
    "const root = this.contentDocument.documentElement;"
    "new ResizeObserver(() => this.style.height = root.offsetHeight + 80 + 'px').observe(root)"
    '"></iframe>'
)
"""HTML frame for the trace page, which resizes to its content."""


def create_app(
    recipe: "Recipe", config: "Config", model: Any, hosts: Hosts | None = None
) -> ASGIApp:
    """Return an ASGI application with the demo page of a finished run.

    The page loads nothing from other hosts. A process can have only one page, since Gradio reads
    its upload folder from the environment.

    Args:
        recipe: Recipe of the run.
        config: Config of the run.
        model: Trained model of the run.
        hosts: Allowed host names and addresses. Default: the loopback names and addresses.

    Raises:
        InputError: If no panel exists for the class of the model.
    """
    folder = PageFolder()
    os.environ["GRADIO_TEMP_DIR"] = str(folder.path)
    # Gradio decodes images before a panel gets them. Pillow raises an error above twice this
    # number of pixels.
    Image.MAX_IMAGE_PIXELS = DATA_LIMITS["max_pixels"] // 2
    blocks = _build_blocks(recipe, config, model)
    blocks.queue(max_size=MAX_WAITING, api_open=False)
    blocks.state_session_capacity = MAX_SESSIONS

    @contextlib.asynccontextmanager
    async def lifespan(_: fastapi.FastAPI) -> AsyncIterator[None]:
        folder.mark_own_files()
        yield
        folder.remove()

    # FastAPI's documentation pages load scripts from another host.
    page = fastapi.FastAPI(openapi_url=None, lifespan=lifespan)
    gr.mount_gradio_app(
        page,
        blocks,
        path="/",
        max_file_size=RequestLimits.max_upload_bytes,
        show_error=False,  # messages of unexpected errors may contain paths on this machine
        **GRADIO_OPTIONS,
    )
    # Otherwise Gradio accepts the path of any file on this machine as an uploaded file.
    # `GateMiddleware` rejects such paths too.
    blocks.has_launched = True
    gate = GateMiddleware(page, folder, _list_functions(blocks), _make_queue_check(blocks))
    return HostMiddleware(gate, hosts or Hosts())


def _build_blocks(recipe: "Recipe", config: "Config", model: Any) -> gr.Blocks:
    """Return the page as Gradio blocks."""
    panel = make_panel(recipe, config, model)

    # The names of these two functions are the endpoints of Gradio's API.
    def ask(*values: Any) -> tuple[Any, ...]:
        with _show_errors(), limits.override(**DATA_LIMITS):
            answer = panel.answer(*values)
        return *answer.values, answer

    def show_trace(answer: Answer | None) -> str:
        if answer is None:
            raise gr.Error("Nothing to trace: ask a question first.", print_exception=False)
        with _show_errors():
            recorded = trace(model, answer.inputs)
            page = render_page(recorded, answer.steps, tags=getattr(model, "tags", None))
        return IFRAME.format(html.escape(page))

    with gr.Blocks(
        title=recipe.name,
        analytics_enabled=False,  # otherwise Gradio sends usage data to another host
        delete_cache=(RETENTION_SECONDS, RETENTION_SECONDS),
    ) as blocks:
        gr.Markdown(f"# {recipe.name}\n{recipe.description}")
        with gr.Row():
            with gr.Column():
                for component in panel.inputs:
                    component.render()
                button = gr.Button("Ask", variant="primary")
                if config.data == "builtin" and recipe.examples:
                    gr.Examples(list(recipe.examples), panel.inputs[0], cache_examples=False)
            with gr.Column():
                for component in panel.outputs:
                    component.render()
        trace_view = gr.HTML()
        answer = gr.State(time_to_live=RETENTION_SECONDS)
        submits = [c.submit for c in panel.inputs if isinstance(c, gr.Textbox)]
        asked = gr.on(
            [button.click, *submits], ask, panel.inputs, [*panel.outputs, answer], **MODEL_QUEUE
        )
        asked.success(show_trace, answer, trace_view, **MODEL_QUEUE)
    return blocks


@contextlib.contextmanager
def _show_errors() -> Iterator[None]:
    """Show an `InputError` on the page, within a `with` block."""
    try:
        yield
    except InputError as error:
        message = html.escape(str(error), quote=False)
        raise gr.Error(message, print_exception=False) from None


def _list_functions(blocks: gr.Blocks) -> dict[int, tuple[str, range]]:
    """Return the argument `functions` of `GateMiddleware`.

    Requests may omit inputs that are session states.
    """
    return {
        index: (
            str(function.api_name),
            range(sum(not block.skip_api for block in function.inputs), len(function.inputs) + 1),
        )
        for index, function in blocks.fns.items()
    }


def _make_queue_check(blocks: gr.Blocks) -> Callable[[str], None]:
    def check_queue(address: str) -> None:
        """Raise `RequestError` if too many questions from an address are waiting."""
        waiting = [
            event
            for queue in blocks._queue.event_queue_per_concurrency_id.values()
            for event in queue.queue
            if event.request.client is not None and event.request.client.host == address
        ]
        if len(waiting) >= MAX_WAITING_PER_ADDRESS:
            raise RequestError(
                429, f"{len(waiting)} questions from your address are waiting: try again later."
            )

    return check_queue
