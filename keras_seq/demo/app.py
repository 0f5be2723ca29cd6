"""The page of a run, as an application: what was asked and answered above, the gates below."""

import contextlib
import html

import fastapi
import gradio as gr

from keras_seq.demo.panels import panel_of
from keras_seq.errors import InputError
from keras_seq.tracing.page import page_of
from keras_seq.tracing.trace import trace

BARE = {"footer_links": [], "run_history": False, "ssr_mode": False, "pwa": False}
"""No links to other hosts, no history in the browser, no server of Node."""

KEPT = 600
"""Seconds that the files of pictures and sounds are kept."""

ONE_AT_A_TIME = {"concurrency_id": "model", "concurrency_limit": 1}
"""While a model is traced it must not be asked."""

FRAME = (
    '<iframe srcdoc="{}" style="width:100%;height:60vh;border:0;background:white" onload="'
    "const root = this.contentDocument.documentElement;"
    "new ResizeObserver(() => this.style.height = root.offsetHeight + 80 + 'px').observe(root)"
    '"></iframe>'
)
"""A page within the page, as high as it is."""


def application(recipe, config, model):
    """The page of a finished run, an ASGI application that needs no other host.

    Args:
        recipe: A `keras_seq.recipe.Recipe`.
        config, model: Of the run.

    Raises:
        InputError: There is no demo for such a model.
    """
    panel = panel_of(recipe, config, model)

    def ask(*given):
        with _said():
            answer = panel.answer(*given)
        return *answer.values, answer

    def look(answer):
        with _said():
            found = trace(model, answer.inputs)
            page = page_of(found, answer.steps, tags=getattr(model, "tags", None))
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
                    gr.Examples(recipe.examples, panel.inputs[0], cache_examples=False)
            with gr.Column():
                for component in panel.outputs:
                    component.render()
        gates = gr.HTML()
        answer = gr.State()
        entered = [c.submit for c in panel.inputs if isinstance(c, gr.Textbox)]
        asked = gr.on(
            [button.click, *entered], ask, panel.inputs, [*panel.outputs, answer], **ONE_AT_A_TIME
        )
        asked.success(look, answer, gates, **ONE_AT_A_TIME)
    # FastAPI's own pages of documentation are made by another host.
    return gr.mount_gradio_app(fastapi.FastAPI(openapi_url=None), blocks, path="/", **BARE)


@contextlib.contextmanager
def _said():
    """Shows on the page what was wrong with an input, in the sentence that says so."""
    try:
        yield
    except InputError as error:
        message = html.escape(str(error), quote=False)
        raise gr.Error(message, print_exception=False) from None
