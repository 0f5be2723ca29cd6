"""The page docs/backends.md, written by `python docs/backends.py`."""

import importlib.util
from pathlib import Path

from keras_seq import cells, layers, models

ROOT = Path(__file__).parents[2]

RESULTS = """<testsuites><testsuite>
<testcase classname="tests.conformance.test_layers" name="test_conforms[LSTM-dropout]" />
<testcase classname="tests.conformance.test_layers" name="test_conforms[CRF]" />
<testcase classname="tests.conformance.test_layers" name="test_every_layer_has_a_case" />
<testcase classname="tests.conformance.test_models" name="test_learns[plain-Seq2Seq]" />
<testcase classname="tests.conformance.test_models" name="test_exported[Seq2Seq]">{}</testcase>
</testsuite></testsuites>"""

REFUSED = '<properties><property name="onnx" value="Not from JAX." /></properties>'


def page_script():
    spec = importlib.util.spec_from_file_location("backends_page", ROOT / "docs/backends.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_tables_of_results(tmp_path):
    files = []
    for number, inside in enumerate(("<skipped />", REFUSED, "<failure />")):
        files.append(tmp_path / f"{number}.xml")
        files[-1].write_text(RESULTS.format(inside))
    actual = page_script().tables(files)
    assert "| `LSTM` | yes | yes | yes |\n" in actual and "| `CRF` | yes | yes | yes |\n" in actual
    assert "| `Seq2Seq` | yes | yes, without onnx | **fails** |\n" in actual
    assert '- JAX: "Not from JAX."\n' in actual
    assert actual.count("| `") == 3


def test_page_has_a_row_for_each_layer_cell_and_model():
    page = (ROOT / "docs/backends.md").read_text()
    names = {*layers.__all__, *cells.__all__, *models.__all__}
    names -= {"RecurrentCell", "Step", "IncrementalLayer"}  # base classes, and a type
    names -= {"AuxiliaryTags"}  # a part of the tagger
    assert [name for name in sorted(names) if f"| `{name}` |" not in page] == []
    assert "fails" not in page and "not run" not in page
