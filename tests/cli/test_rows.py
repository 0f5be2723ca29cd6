"""Tables of predictions."""

from keras_seq.cli._rows import print_table


def test_texts_are_printed_as_they_are(capsys):
    print_table([{"text": "[/b] [red]a\\", "score": 0.25}, {"text": ":x: \x1b[31m", "score": 1}])
    out = capsys.readouterr().out
    assert "[/b] [red]a\\ " in out and "0.250" in out
    assert r":x: \x1b[31m" in out and "\x1b" not in out
