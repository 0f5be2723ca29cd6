"""The page of a run as an ASGI application: what was asked and answered above, the gates below."""

import contextlib
import html
import os
from collections.abc import Callable, Iterator

import fastapi
import gradio as gr
from PIL import Image
from starlette.types import ASGIApp

from keras_seq._internal.errors import InputError
from keras_seq.data import limits
from keras_seq.demo.folder import KEPT, PageFolder
from keras_seq.demo.gate import Gate, Limits, Refusal
from keras_seq.demo.hosts import HostCheck, Hosts
from keras_seq.demo.panels import panel_of
from keras_seq.tracing.page import render_page
from keras_seq.tracing.trace import trace

BARE = {"footer_links": [], "run_history": False, "ssr_mode": False, "pwa": False}
"""Settings of gradio: no links to other hosts, no history in the browser, no server of Node."""

ONE_AT_A_TIME = {"concurrency_id": "model", "concurrency_limit": 1}
"""Settings of gradio: a model must not be asked while it is traced."""

WAITING, WAITING_OF_ONE = 16, 2
"""Largest numbers of waiting questions: from all visitors, and from one address."""

SESSIONS = 50
"""Number of visitors whose last answer is kept."""

READ = {
    "max_audio_seconds": 60,
    "max_decoding_seconds": 20,
    "max_file_bytes": Limits.upload_bytes,
    "max_pixels": 12_000_000,
    "max_sample_rate": 192_000,
    "max_unpacked_bytes": 5 * Limits.upload_bytes,
    "max_video_frames": 3_000,
    "max_video_seconds": 60,
}
"""Limits on what readers accept of visitors, see `keras_seq.data.limits`."""

FRAME = (
    '<iframe srcdoc="{}" style="width:100%;height:60vh;border:0;background:white" onload="'
    "const root = this.contentDocument.documentElement;"
    "new ResizeObserver(() => this.style.height = root.offsetHeight + 80 + 'px').observe(root)"
    '"></iframe>'
)
"""A page within the page, as high as it is."""


def application(recipe, config, model, hosts: Hosts | None = None) -> ASGIApp:
    """Return the page of a finished run, which needs no other host.

    A process has one page at a time, since gradio keeps the folder of files in the environment.

    Args:
        recipe: A `keras_seq.train.recipe.Recipe`.
        config, model: Config and model of the run.
        hosts: Names and addresses of the page, by default those of the loopback address.

    Raises:
        InputError: If there is no demo for such a model.
    """
    folder = PageFolder()
    os.environ["GRADIO_TEMP_DIR"] = str(folder.path)
    # gradio decodes pictures before they are given to a panel. Pillow refuses twice as many pixels.
    Image.MAX_IMAGE_PIXELS = READ["max_pixels"] // 2
    blocks = _blocks(recipe, config, model)
    blocks.queue(max_size=WAITING, api_open=False)
    blocks.state_session_capacity = SESSIONS

    @contextlib.asynccontextmanager
    async def lifespan(_):
        folder.keep_present_files()
        yield
        folder.remove()

    # FastAPI's own pages of documentation are made by another host.
    page = fastapi.FastAPI(openapi_url=None, lifespan=lifespan)
    most = Limits.upload_bytes
    # Texts of unexpected errors may name files of this machine.
    gr.mount_gradio_app(page, blocks, path="/", max_file_size=most, show_error=False, **BARE)
    # Else gradio takes any file of the machine for one that was uploaded; `Gate` does not.
    blocks.has_launched = True
    gate = Gate(page, folder, _functions(blocks), _take(blocks))
    return HostCheck(gate, hosts or Hosts())


def _blocks(recipe, config, model) -> gr.Blocks:
    """Return the page as gradio has it."""
    panel = panel_of(recipe, config, model)

    def ask(*given):
        with _said(), limits.override(**READ):
            answer = panel.answer(*given)
        return *answer.values, answer

    def look(answer):
        if answer is None:
            raise gr.Error("There is no answer to look into yet: ask first.", print_exception=False)
        with _said():
            found = trace(model, answer.inputs)
            page = render_page(found, answer.steps, tags=getattr(model, "tags", None))
        return FRAME.format(html.escape(page))

    # With analytics gradio would tell of its use, and ask for its newest version.
    with gr.Blocks(title=recipe.name, analytics_enabled=False, delete_cache=(KEPT, KEPT)) as blocks:
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
        gates = gr.HTML()
        answer = gr.State(time_to_live=KEPT)
        entered = [c.submit for c in panel.inputs if isinstance(c, gr.Textbox)]
        asked = gr.on(
            [button.click, *entered], ask, panel.inputs, [*panel.outputs, answer], **ONE_AT_A_TIME
        )
        asked.success(look, answer, gates, **ONE_AT_A_TIME)
    return blocks


@contextlib.contextmanager
def _said() -> Iterator[None]:
    """Show on the page what was wrong with an input, in the sentence that says so."""
    try:
        yield
    except InputError as error:
        message = html.escape(str(error), quote=False)
        raise gr.Error(message, print_exception=False) from None


def _functions(blocks: gr.Blocks) -> dict[int, tuple[str, range]]:
    """Return the functions of a page as `Gate` takes them; inputs with a state may be left out."""
    return {
        number: (
            str(function.api_name),
            range(sum(not block.skip_api for block in function.inputs), len(function.inputs) + 1),
        )
        for number, function in blocks.fns.items()
    }


def _take(blocks: gr.Blocks) -> Callable[[str], None]:
    def take(address: str) -> None:
        """Refuse a question of an address of which enough are waiting."""
        waiting = [
            event
            for queue in blocks._queue.event_queue_per_concurrency_id.values()
            for event in queue.queue
            if event.request.client is not None and event.request.client.host == address
        ]
        if len(waiting) >= WAITING_OF_ONE:
            raise Refusal(429, f"{len(waiting)} questions of yours are waiting: ask again later.")

    return take
