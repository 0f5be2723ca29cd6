"""Tunes as tokens and back, and the recipe on tunes of the user's own."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_seq_recipes.music import data, files, measures, tunes

from keras_seq import cli
from keras_seq.errors import InputError

ABC = "X:1\nT:one\nM:6/8\nL:1/8\nK:Edor\nB|E2e dcB|A^cd e3-|e{g}f=c (3BAG z:|\n"
HEAD, BARS = (
    ["M:6/8", "K:E_dorian"],
    [
        ["7:1/2"],
        ["0:1", "12:1/2", "10:1/2", "9:1/2", "7:1/2"],
        ["5:1/2", "9:1/2", "10:1/2", "12:3/2~"],
        ["12:1/2", "14:1/2", "8:1/2", "7:1/3", "5:1/3", "3:1/3", "r:1/2"],
    ],
)
TOKENS = [*HEAD, *(token for bar in BARS for token in [*bar, "|"])]


def test_tokens_of_a_tune():
    found = tunes.tokens_of_abc(ABC)
    assert [t for t in found if t not in tunes.BARS] == [t for t in TOKENS if t != "|"]
    assert tunes.head(found) == (3, 64, "dorian", "E")
    notes = tunes.notes_of(found)
    assert [note.pitch for note in notes[:3]] == [71, 64, 76]
    tied = notes[9]
    assert (tied.pitch, tied.begin, tied.length) == (76, Fraction(5), Fraction(2))
    assert notes[-1] == (None, notes[-2].begin + Fraction(1, 3), Fraction(1, 2))


@pytest.mark.parametrize(
    ("head", "carries"),
    [
        ("", True),
        ("%abc-2.1\n", True),
        ("%abc-1.6\n", False),
        ("words\n\nI:abc-version 1.6\n", False),
        ("%abc\n%%propagate-accidentals not\n", False),
    ],
)
def test_accidentals_hold_to_the_end_of_the_bar(head, carries):
    book = head + "X:1\nM:3/4\nL:1/4\nK:G\n^GGF|G=FF|\n\nX:2\nL:1/4\nK:C\n_BB|\n"
    first, second = map(tunes.tokens_of_abc, tunes.split_abc(book))
    pitches = [note.pitch - 60 for note in tunes.notes_of(first)]
    assert pitches == ([8, 8, 6, 7, 5, 5] if carries else [8, 7, 6, 7, 5, 6])
    pitches = [note.pitch - 60 for note in tunes.notes_of(second)]
    assert pitches == ([10, 10] if carries else [10, 11])


KEYS = [
    f"{tonic}_{mode}"
    for tonic, mode in [
        ("C", "major"),
        ("F#", "major"),
        ("B-", "major"),
        ("E-", "minor"),
        ("F#", "minor"),
        ("A", "mixolydian"),
        ("E", "dorian"),
        ("D", "minor"),
    ]
]
LENGTHS = st.sampled_from(["1/4", "1/2", "3/4", "1"])
EVENTS = st.builds("{}:{}".format, st.one_of(st.integers(-14, 26).map(str), st.just("r")), LENGTHS)
TUNES = st.builds(
    lambda key, bars: [
        "M:4/4",
        f"K:{key}",
        *[token for bar in bars for token in [*bar, "|"]],
    ],
    st.sampled_from(KEYS),
    st.lists(st.lists(EVENTS, min_size=1, max_size=4), min_size=1, max_size=6),
)


@settings(max_examples=60, deadline=None)
@given(TUNES)
def test_abc_says_what_the_tokens_say(tokens):
    again = tunes.tokens_of_abc(tunes.abc_of(tokens))
    assert tunes.head(again)[1:] == tunes.head(tokens)[1:]
    assert [t for t in again if tunes.is_event(t)] == [t for t in tokens if tunes.is_event(t)]


def test_measures_of_a_made_up_tune():
    bar = ["0:1", "4:1", "7:1", "12:1", "|"]
    tokens = ["M:4/4", "K:C_major", *bar, *bar, "1:1", "0:1", "|", *bar]
    row = measures.measures([tokens], measures.shared_with([bar * 2, ["5:1", "1:1"]]))
    assert row == {
        "full bars": 0.5,
        "in key": 13 / 14,
        "range": 12,
        "repeated bars": 0.5,
        "events": 14,
        "copied": 8,
    }


def test_longest_shared_run():
    longest = measures.shared_with([["0:1", "1:1", "|", "2:1"], ["3:1", "4:1"]])
    assert longest(["9:1", "0:1", "1:1", "2:1", "3:1"]) == 3
    assert longest(["9:1"]) == 0 and longest([]) == 0


def test_styles_are_told():
    rows = [["0:1", "2:1", "4:1"] * 3, ["0:2", "7:2", "0:2"] * 3] * 5
    judge = measures.style_classifier(rows, ["quick", "slow"] * 5)
    assert list(judge.predict(rows[:2])) == ["quick", "slow"]


def test_files(tmp_path):
    import pretty_midi
    from scipy.io import wavfile

    files.write(TOKENS, tmp_path / "tune", "A tune", "mine")
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "tune.mid"))
    sounding = [note for note in tunes.notes_of(TOKENS) if note.pitch is not None]
    found = midi.instruments[0].notes
    assert [note.pitch for note in found] == [note.pitch for note in sounding]
    begins = [float(note.begin) * files.QUARTER for note in sounding]
    np.testing.assert_allclose([note.start for note in found], begins, atol=5e-3)
    rate, sound = wavfile.read(tmp_path / "tune.wav")
    assert len(sound) / rate > begins[-1] and np.abs(sound).max() > 10_000
    assert "K:Edor" in (tmp_path / "tune.abc").read_text()
    assert (tmp_path / "tune.png").stat().st_size > 1_000


def test_prompts():
    tokens = data.melody("M:6/8 K:G GAB c2d")
    assert tokens == ["M:6/8", "K:G_major", "0:1/2", "2:1/2", "4:1/2", "5:1", "7:1/2"]
    assert data.melody("K:G GAB c2|")[-1] == "|"
    assert data.melody("K:C ^FF")[-2:] == ["6:1/2", "6:1/2"]
    with pytest.raises(InputError, match="has no notes; write it as M:6/8 K:G GAB c2d"):
        data.melody("M:6/8")


def folder_of_tunes(folder, count=24):
    """Two styles: one goes up in quavers, one goes down in crotchets."""
    from music21 import note, stream

    for style, steps, length in (("up", "CDEFGABc", "1/8"), ("down", "cBAGFEDC", "1/4")):
        (folder / style).mkdir(parents=True)
        book = ""
        for number in range(count):
            shift = number % 5
            notes = "".join((steps + steps)[shift : shift + 8])
            book += (
                f"X:{number + 1}\nM:4/4\nL:{length}\nK:C\n{notes}|{notes}|C{number % 7 + 1}|\n\n"
            )
        (folder / style / "book.abc").write_text(book)
    score = stream.Stream([note.Note(midi) for midi in (60, 62, 64, 65)])
    score.write("midi", folder / "up" / "one.mid")
    (folder / "down" / "broken.mid").write_bytes(b"this is no MIDI file")
    (folder / "down" / "empty.abc").write_text("X:1\nM:4/4\nK:C\n\n")
    return folder


SMALL = ["--units", "16", "--layers", "1", "--embedding", "8", "--updates", "12", "--dropout", "0"]


def test_the_users_own_tunes_end_to_end(workplace, monkeypatch, capsys):
    monkeypatch.setattr("keras_seq_recipes.music.metric.MADE", 4)
    folder = folder_of_tunes(workplace / "mine")
    assert cli.main(["train", "music", "--data", str(folder), *SMALL]) == 0
    out = capsys.readouterr()
    assert "broken.mid" in out.err and "empty.abc" in out.err
    assert "Left out 2 tunes" in out.err
    assert len(list((workplace / "runs/music/default/samples").glob("*"))) == 2 * 3 * 4
    assert (workplace / "runs/music/default/measures.json").exists()
    run = "runs/music/default"
    asked = ["predict", run, "1", "down", "--seed", "3", "--prompt", "K:C CDE", "--folder", "made"]
    assert cli.main(asked) == 0
    assert sorted(file.suffix for file in (workplace / "made").glob("up_3.*")) == [
        ".abc",
        ".mid",
        ".png",
        ".wav",
    ]
    assert cli.main(["predict", run, "7"]) == 2
    assert "There is no style 7; there are 0 down, 1 up" in capsys.readouterr().err


def test_what_the_recipe_refuses(workplace, capsys):
    assert cli.main(["train", "music", "--data", "tfds:groove"]) == 2
    assert "No set of TFDS has tunes with a style" in capsys.readouterr().err
    (workplace / "one" / "style").mkdir(parents=True)
    (workplace / "one" / "style" / "a.abc").write_text(ABC)
    assert cli.main(["train", "music", "--data", "one"]) == 2
    assert "at least two classes" in capsys.readouterr().err
