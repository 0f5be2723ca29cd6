"""Limits on what a browser sends of a drawing, stroke by stroke, before it is asked about."""

import gradio as gr
from gradio.components.base import server
from gradio.components.image_editor import AcceptBlobs

from keras_seq.errors import InputError

LAYERS, DRAWINGS = 4, 20
"""Numbers of the layers of a drawing, and of drawings that are not yet asked about."""


def bounded(component: gr.components.Component) -> gr.components.Component:
    """Return a component, of which a drawing takes no more memory than it needs.

    gradio keeps every drawing until it is asked about, and makes room for as many layers as a
    request names.
    """
    if not isinstance(component, gr.ImageEditor):
        return component
    accept = component.accept_blobs

    @server
    def accept_blobs(data: AcceptBlobs) -> None:
        layer = data.data["index"]
        if layer not in (None, "", "null") and int(layer) not in range(LAYERS):
            raise InputError(f"A drawing has {LAYERS} layers.")
        accept(data)
        while len(component.blob_storage) > DRAWINGS:
            component.blob_storage.pop(next(iter(component.blob_storage)))

    component.accept_blobs = accept_blobs
    return component
