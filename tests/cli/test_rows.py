"""Files of predictions."""

import pytest

from keras_seq._internal.errors import InputError
from keras_seq.cli._rows import open_writer


def test_rows_with_further_columns(tmp_path):
    rows = [{"text": "a"}, {"text": "b", "plot": "b.png"}]
    path = tmp_path / "rows.jsonl"
    with open_writer(str(path)) as write:
        write(rows)
    assert path.read_text() == '{"text": "a"}\n{"text": "b", "plot": "b.png"}\n'
    path = tmp_path / "rows.csv"
    with (
        pytest.raises(InputError, match=r"the column 'plot', but the first has not; .*\.jsonl"),
        open_writer(str(path)) as write,
    ):
        write(rows)
    assert not path.exists()
