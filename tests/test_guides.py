"""Code of docs/guides that other libraries check."""

import re
from pathlib import Path

import numpy as np
import pytest
from helpers import normal, to_numpy

from keras_seq import layers

GUIDES = Path(__file__).parent.parent / "docs/guides"


def code_cells(name):
    """Return the code cells of a guide, without their options."""
    page = (GUIDES / name).read_text("utf-8")
    cells = re.findall(r"^```{code-cell} python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return [re.sub(r"^(:\w+:.*\n)+", "", cell) for cell in cells]


def test_all_cells_are_python_3():
    for page in GUIDES.glob("*.md"):
        for number, cell in enumerate(code_cells(page.name)):
            if not cell.startswith("%%"):
                compile(cell, f"{page.name}, cell {number}", "exec")


@pytest.mark.slow  # torch is installed for the slow tests
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_weights_of_torch(kind):
    torch = pytest.importorskip("torch")
    names: dict = {}
    exec(code_cells("from_torch.md")[0], names)
    theirs = getattr(torch.nn, kind)(5, 4, bidirectional=True, batch_first=True)
    state = {name: tensor.numpy() for name, tensor in theirs.state_dict().items()}
    x = normal(2, 6, 5)
    for number, reverse in enumerate((False, True)):
        ours = getattr(layers, {"RNN": "SimpleRNN"}.get(kind, kind))(
            4, return_sequences=True, go_backwards=reverse
        )
        ours.build((None, None, 5))
        ours.set_weights(names["convert_torch"](state, reverse=reverse))
        expected = theirs(torch.tensor(x, dtype=torch.float32))[0].detach().numpy()
        actual = to_numpy(ours(x))[:, :: -1 if reverse else 1]
        np.testing.assert_allclose(actual, np.split(expected, 2, axis=-1)[number], atol=2e-6)
