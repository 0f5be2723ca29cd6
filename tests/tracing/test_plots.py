"""Plots and pages of a trace."""

import base64
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import keras
import numpy as np
import pytest
from helpers import UNITS, sequences

import keras_seq
from keras_seq import layers, tracing
from keras_seq._internal.errors import InputError
from keras_seq.tracing import plots

STEPS = ["Ada", "</script>", "'\"&<b>", "met", "."]


@pytest.fixture(scope="module")
def trace():
    """Return a trace with both directions, tags and attention, and a masked first row."""
    inputs, mask = keras.Input((None, 3)), keras.Input((None,), dtype="bool")
    both = keras.layers.Bidirectional(layers.LSTM(UNITS, return_sequences=True), name="both")
    x = both(inputs, mask=mask)
    scores = layers.CRF(3, name="crf")(x, mask=mask)
    pooled = layers.AttentionPooling(2, name="pool")(x, mask=mask)
    model = keras.Model([inputs, mask], [scores, pooled])
    seen = np.ones((2, len(STEPS)), bool)
    seen[0, 3:] = False
    return keras_seq.trace(model, [sequences(2), seen])


@pytest.fixture
def figures(monkeypatch):
    """Return a list to which all saved figures are added."""
    saved, save = [], plots.Figure.savefig
    monkeypatch.setattr(
        plots.Figure,
        "savefig",
        lambda self, *a, **k: saved.append(self) or save(self, *a, **k),
    )
    return saved


def test_gates_as_heatmaps(trace, figures, tmp_path):
    layer = trace["both/forward"]
    plots.gates(layer, tmp_path / "gates.png", STEPS)
    assert (tmp_path / "gates.png").read_bytes().startswith(b"\x89PNG")
    panels = {axes.get_title(): axes for axes in figures[0].axes if axes.get_title()}
    assert list(panels) == [*layer.gates, *layer.states]
    for name, array in {**layer.gates, **layer.states}.items():
        shown = panels[name].images[0].get_array()
        np.testing.assert_array_equal(shown[:, :3], array[0, :3].T)
        assert np.ma.getmaskarray(np.ma.masked_invalid(shown))[:, 3:].all()
        assert [label.get_text() for label in panels[name].get_xticklabels()] == STEPS
    assert panels["forget"].images[0].get_clim() == (0, 1)
    low, high = panels["c"].images[0].get_clim()
    assert low == -high < 0


def test_states_and_gradients_as_lines(trace, figures, tmp_path):
    layer = trace["both/backward"]
    plots.states(layer, tmp_path / "states.png", units=[2], sequence=1)
    for axes, name in zip(figures[0].axes, ("h", "c"), strict=True):
        assert axes.get_title() == name
        np.testing.assert_array_equal(axes.lines[0].get_ydata(), layer.states[name][1, :, 2])
    norms = {"lstm": {"h": np.array([[1.0, 0.1, 0.0]]), "c": np.array([[2.0, 3.0, 4.0]])}}
    plots.gradients(norms, tmp_path / "gradients.png")
    lines = {line.get_label(): line.get_ydata() for line in figures[1].axes[0].lines}
    np.testing.assert_array_equal(lines["lstm h"], [1, 0.1, np.nan])
    np.testing.assert_array_equal(lines["lstm c"], [2, 3, 4])
    assert figures[1].axes[0].get_yscale() == "log"


@pytest.mark.parametrize("half", ["forward", "backward"])
def test_the_unrolled_network_has_its_numbers(trace, figures, tmp_path, half):
    layer = trace[f"both/{half}"]
    plots.unrolled(layer, tmp_path / "unrolled.png", STEPS, unit=1)
    texts = [text.get_text() for text in figures[0].axes[0].texts]
    gates = "\n".join(f"{name} {gate[0, 2, 1]:.2f}" for name, gate in layer.gates.items())
    assert {gates, f"c {layer.states['c'][0, 2, 1]:.2f}", "Ada"} <= set(texts)
    assert texts.count("skipped") == 2
    # The initial state and one per time step.
    assert sum(text.startswith("h ") for text in texts) == len(STEPS) + 1


def test_more_steps_than_a_picture_holds(tmp_path):
    layer = layers.GRU(2, name="gru")
    layer(sequences(1, 13))
    gru = keras_seq.trace(layer, sequences(1, 13))["gru"]
    with pytest.raises(InputError, match="at most 12 time steps, got 13"):
        plots.unrolled(gru, tmp_path / "unrolled.png")
    with pytest.raises(InputError, match="one label per time step, got 2 for 13"):
        plots.gates(gru, tmp_path / "gates.png", ["a", "b"])


class Outside(HTMLParser):
    """Parser that collects the data of a page and the tags that fetch something."""

    def __init__(self):
        super().__init__()
        self.fetched, self.data, self.inside = [], "", False

    def handle_starttag(self, tag, attributes):
        self.inside = dict(attributes).get("id") == "data"
        self.fetched += [tag for name, _ in attributes if name in ("src", "href", "srcset")]

    def handle_data(self, data):
        self.data += data if self.inside else ""

    def handle_endtag(self, tag):
        self.inside = False


@pytest.fixture
def page(trace, tmp_path):
    """Return a page of the first sequence, and its data."""
    path = tmp_path / "page.html"
    gradients = {"a sum": {"both/forward": {"h": np.full((2, 5), 0.5)}}}
    names = {"title": "A & </title>", "tags": ["O", "B", "I"]}
    tracing.write_page(trace, path, STEPS, gradients=gradients, **names)
    text, parser = path.read_text("utf-8"), Outside()
    parser.feed(text)
    assert not parser.fetched and "@import" not in text and "url(" not in text
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]  # fetches nothing
    assert "<title>A &amp; &lt;/title&gt;</title>" in text
    return path, json.loads(parser.data)


def unpack(packed):
    whole = np.frombuffer(base64.b64decode(packed["data"]), "<i2")
    return whole.reshape(-1, packed["height"]) * packed["scale"]


def test_a_page_holds_all_numbers(trace, page):
    _, data = page
    assert data["steps"] == STEPS
    for content in data["layers"]:
        layer = trace[content["name"]]
        assert content["unmasked"] == [True] * 3 + [False] * 2
        assert content["backwards"] == layer.go_backwards
        for kind in ("gates", "states"):
            for name, array in getattr(layer, kind).items():
                np.testing.assert_allclose(unpack(content[kind][name]), array[0], atol=1e-4)
    assert [content["name"] for content in data["layers"]] == ["both/forward", "both/backward"]
    weights, tags = data["side_outputs"]
    np.testing.assert_allclose(unpack(weights)[:, 0], trace.attention["pool"][0], atol=1e-4)
    np.testing.assert_allclose(unpack(tags), trace.marginals["crf"][0], atol=1e-4)
    assert tags["rows"] == ["O", "B", "I"]
    assert data["gradients"] == {"a sum": {"both/forward h": [0.5] * 5}}


# Stub of the document: every attribute is a stub again.
STUB = """
const fs = require("fs"), html = fs.readFileSync(process.argv[2], "utf-8");
const between = (from, to) => html.split(from)[1].split(to)[0];
let drawn = 0, moved = 0;
const known = { children: [], putImageData: () => drawn++, [Symbol.toPrimitive]: () => 3 };
const thing = () => new Proxy(function () {}, {
  get: (own, key) => Object.hasOwn(own, key) && key !== "length" && key !== "name" ? own[key]
    : key in known ? known[key] : thing(),
  set: (own, key, value) => {
    own[key] = value;
    // Simulate a user.
    if (key === "onmousemove" || key === "onclick") {
      value(new Proxy({}, { get: () => 3 }));
      moved++;
    }
    return true;
  },
  apply: () => thing(),
});
const data = between('type="application/json">', "</" + "script>");
globalThis.document = {
  getElementById: id => id === "data" ? { textContent: data } : thing(),
  createElement: thing, createElementNS: thing,
};
globalThis.innerWidth = 1000;
eval(between("<" + "script>\\n", "</" + "script>"));
console.log(drawn, moved > 0);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no node to run a script")
def test_the_script_of_a_page_runs(page, tmp_path):
    path, _ = page
    (tmp_path / "stub.js").write_text(STUB)
    command = ["node", str(tmp_path / "stub.js"), str(path)]
    done = subprocess.run(command, capture_output=True, text=True)
    # Six heatmaps for each drawn layer: the first one, and each after a click on its button.
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(3 * 6 + 2), "true"], done.stdout


def test_names_that_do_not_fit(trace, tmp_path):
    with pytest.raises(
        InputError, match=r"No layer of the trace has \(batch, timesteps\) \(2, 2\)"
    ):
        tracing.write_page(trace, tmp_path / "page.html", ["a", "b"])
    with pytest.raises(InputError, match="no sequence 2 in a batch of 2"):
        tracing.write_page(trace, tmp_path / "page.html", sequence=2)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("plot", [plots.gates, plots.states, plots.unrolled])
def test_a_plot_of_a_model_names_its_layers(trace, tmp_path, plot):
    with pytest.raises(InputError, match=r"pass trace\['both/forward'\] or trace\['both/back"):
        plot(trace, tmp_path / "it.png")
