"""Recipe `music`: tunes and chorales as tokens, prompts, measures and training."""

import contextlib
import functools
import json
import os
import pathlib
import pickle
import re
import tempfile
import types
import zlib
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_seq_recipes.music import (
    abc_books,
    chorales,
    config,
    files,
    measures,
    metric,
    model,
    notation,
    prompts,
    recipe,
    scores,
    sources,
    tunes,
)

from benchmarks import tunes as tunes_benchmark
from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.train import registry

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


def test_abc_to_tokens():
    [tune] = abc_books.AbcBook(enumerate(ABC.split("\n"), 1))
    tokens = tune.read("a.abc").tokens
    assert [t for t in tokens if t not in tunes.BAR_LINES] == [t for t in TOKENS if t != "|"]
    assert tunes.parse_head(tokens) == (3, 64, "dorian", "E")
    notes = tunes.parse_notes(tokens)
    assert [note.pitch for note in notes[:3]] == [71, 64, 76]
    tied = notes[9]
    assert (tied.pitch, tied.start, tied.length) == (76, Fraction(5), Fraction(2))
    assert notes[-1] == (None, notes[-2].start + Fraction(1, 3), Fraction(1, 2))


def test_first_voice_of_a_bar_is_read():
    from music21 import key, note, stream

    bars = [stream.Measure(number=number) for number in (1, 2)]
    bars[0].insert(0, key.Key("C"))
    for bar in bars:
        bar.insert(0, stream.Voice([note.Note(midi) for midi in (60, 64, 67, 72)]))
        bar.insert(0, stream.Voice([note.Note(48, quarterLength=4)]))
    tokens = scores.score_to_tokens(stream.Score([stream.Part(bars)]))
    assert tokens[2:] == ["0:1", "4:1", "7:1", "12:1", "|"] * 2


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
LINES = st.integers(2, 4).flatmap(
    lambda bars: st.tuples(
        *[st.lists(st.lists(EVENTS, min_size=1, max_size=3), min_size=bars, max_size=bars)] * 4
    )
)


@settings(max_examples=15)
@given(st.sampled_from(KEYS), LINES)
def test_merging_and_splitting_four_voices(key, lines):
    from music21 import converter

    head = ["M:4/4", f"K:{key}"]
    lines = [[*head, *(token for bar in line for token in [*bar, "|"])] for line in lines]
    merged = tunes.merge_voices(lines)
    assert list(tunes.split_voices(merged).values()) == lines
    # Notes of a bar are in the order of their start.
    for bar in tunes.split_bars(merged):
        ends, begins = dict.fromkeys("SATB", 0), []
        for token in bar:
            begins.append((ends[token[0]], "SATB".index(token[0])))
            ends[token[0]] += tunes.parse_length(token)
        assert begins == sorted(begins)
    score = converter.parse(notation.tokens_to_abc(merged), format="abc")
    for part, line in zip(score.parts, lines, strict=True):
        part_tokens = scores.score_to_tokens(part)
        assert tunes.parse_head(part_tokens)[1:] == tunes.parse_head(line)[1:]
        assert list(filter(tunes.is_event, part_tokens)) == list(filter(tunes.is_event, line))


def chorale(*lines, sharps=0):
    """Return a score of two bars, given the MIDI numbers of quarter notes."""
    from music21 import key, meter, note, stream

    parts = []
    for name, line in zip(("Horn", "Soprano", "Alto", "Tenor", "Bass"), lines):
        part = stream.Part(
            [meter.TimeSignature("2/4"), key.KeySignature(sharps), *map(note.Note, line)]
        )
        part = part.makeMeasures()
        part.partName = name
        parts.append(part)
    return stream.Score(parts)


CHORALE_PITCHES = ([79] * 4, [69, 69, 67, 69], [65, 64, 64, 65], [57, 57, 55, 57], [50, 45, 48, 50])


def test_chorale_to_tokens():
    tokens = chorales.chorale_to_tokens(chorale(*CHORALE_PITCHES))
    assert " ".join(tokens) == (
        "M:2/4 K:D_dorian S7:1 A3:1 T-5:1 B-12:1 S7:1 A2:1 T-5:1 B-17:1 | "
        "S5:1 A2:1 T-7:1 B-14:1 S7:1 A3:1 T-5:1 B-12:1 |"
    )
    assert chorales.get_style(tokens) == "minor"
    on_c = chorales.chorale_to_tokens(chorale(*CHORALE_PITCHES[:-1], [50, 45, 48, 48]))
    assert on_c[1] == "K:C_major" and chorales.get_style(on_c) == "major"
    # No usual mode on B has this signature, so that the key is estimated from the notes.
    assert (
        chorales.chorale_to_tokens(chorale(*CHORALE_PITCHES[:-1], [50, 45, 50, 47]))[1]
        == "K:D_minor"
    )
    with pytest.raises(ValueError, match="lacks one of the four voices"):
        chorales.chorale_to_tokens(chorale(*CHORALE_PITCHES[:-1]))


class Planted:
    """An object whose pickle creates a file when it is loaded."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return pathlib.Path.touch, (self.marker,)


def test_pickles_of_music21_are_not_loaded(tmp_path, monkeypatch):
    from music21 import converter, corpus

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    marker, file = tmp_path / "it_ran", tmp_path / "tune.xml"
    converter.parseData(ABC, format="abc").write("musicxml", file)
    expected = scores.score_to_tokens(converter.parse(file, forceSource=True))
    bach = corpus.getWork("bach/bwv269")
    for path in (file, bach):
        pickled = converter.PickleFilter(path).getPickleFp(zipType="gz")
        assert pickled.is_relative_to(tmp_path)
        pickled.write_bytes(zlib.compress(pickle.dumps(Planted(marker))))
        os.utime(pickled, (2**32, 2**32))
    [(_, row, _)] = sources.read_tunes(file, [(file, "mine", None)])
    assert row["tokens"].split() == expected
    iterator = functools.partial(corpus.chorales.Iterator, 1, 1)
    monkeypatch.setattr(corpus.chorales, "Iterator", iterator)
    assert [chorales.chorale_to_tokens(score)[1] for score in chorales.load_scores()] == [
        "K:G_major"
    ]
    assert not marker.exists()
    with contextlib.suppress(Exception):
        converter.parse(file)
    assert marker.exists(), "which music21 would load without being told not to"
    # music21 may use the folder again in this process.
    for pickled in tmp_path.rglob("*.p.gz"):
        pickled.unlink()


def test_chorale_of_bach():
    from music21 import corpus

    tokens = chorales.chorale_to_tokens(corpus.parse("bach/bwv269", forceSource=True))
    lines = tunes.split_voices(tokens)
    assert tokens[:2] == ["M:3/4", "K:G_major"]
    assert [tunes.parse_notes(line)[0].pitch for line in lines.values()] == [67, 62, 59, 43]
    sizes = {
        voice: [sum(map(tunes.parse_length, bar)) for bar in tunes.split_bars(line)]
        for voice, line in lines.items()
    }
    assert sizes["S"] == sizes["A"] == sizes["T"] == sizes["B"] and set(sizes["S"][1:6]) == {3}


def test_measures_of_four_voices():
    # Alto and bass move in parallel fifths up and down, and in octaves with the soprano up.
    lines = ["12:1 14:1 | 19:1 19:1", "7:1 9:1 | 7:1 7:1", "4:1 4:1 | 4:1 5:1", "0:1 2:1 | 0:1 0:1"]
    tokens = tunes.merge_voices([["M:2/4", "K:C_major", *line.split()] for line in lines])
    row = measures.measure_tunes([tokens], measures.make_overlap_finder([tokens]))
    assert row["in_range"] == 15 / 16
    assert row["parallels"] == pytest.approx(100 * 3 / 3)
    assert row["full_bars"] == 0 and row["copied"] == 16 and row["in_key"] == 1
    assert metric.drop_chorale_keys([tokens, TOKENS]) == [[tokens[0], *tokens[2:]], TOKENS]


def test_measures_of_one_voice():
    bar = ["0:1", "4:1", "7:1", "12:1", "|"]
    tokens = ["M:4/4", "K:C_major", *bar, *bar, "1:1", "0:1", "|", *bar]
    row = measures.measure_tunes([tokens], measures.make_overlap_finder([bar * 2, ["5:1", "1:1"]]))
    assert row == {
        "parsed": 1,
        "full_bars": 0.5,
        "in_key": 13 / 14,
        "range": 12,
        "repeated_bars": 0.5,
        "stuck": 0,
        "events": 14,
        "copied": 8,
        "copies": 0,
    }


def test_share_of_tunes_that_are_stuck():
    tune_list = [["M:1/4", "K:C_major", *["0:1", "|"] * number] for number in (4, 5)]
    assert measures.measure_tunes(tune_list, measures.make_overlap_finder([]))["stuck"] == 0.5


class DrawnTunes:
    """Stand-in for a generator. Tunes of style "a" are stuck in the first `num_stuck` draws."""

    styles = ("a", "b")
    encoder = types.SimpleNamespace(vocabulary=[])

    def __init__(self, num_stuck):
        self.num_stuck, self.draws = num_stuck, []

    def generate_tokens(self, prompts, styles, *, max_length, temperature, seed):
        is_stuck = len(self.draws) < self.num_stuck
        self.draws.append((list(styles), seed))
        return [
            types.SimpleNamespace(
                tokens=["M:1/4", "K:C", *["0:1", "|"] * (5 if style == "a" and is_stuck else 2)]
            )
            for style in styles
        ]


def test_stuck_tunes_are_drawn_again():
    def draw(num_stuck, temperature=0.9):
        model = DrawnTunes(num_stuck)
        rows = recipe.generate_tunes(model, config.Config(), ["b", "a"], "", temperature, 7)
        assert [name for name, _ in rows] == ["b", "a"]
        return model.draws, [measures.is_stuck(tokens) for _, tokens in rows]

    step = recipe.SEED_STEP
    first, again = (["b", "a"], 7), [(["a"], 7 + n * step) for n in (1, 2, 3)]
    assert draw(0) == ([first], [False, False])
    assert draw(2) == ([first, *again[:2]], [False, False])
    assert draw(9) == ([first, *again], [False, True])
    assert draw(9, temperature=0) == ([first], [False, True])  # all draws would be the same


def test_share_of_tunes_with_long_copies():
    training = [f"{pitch}:1" for pitch in range(20)]
    tune_list = [["M:4/4", "K:C_major", *training[:length], "9:2"] for length in (16, 17)]
    row = measures.measure_tunes(tune_list, measures.make_overlap_finder([training]))
    assert row["copies"] == 0.5


@pytest.mark.parametrize(
    ("tokens", "is_valid"),
    [
        ("M:6/8 K:F#_minor |: 0:1/2~ 0:1 r:1 3:1/2 | -24:1/8 37:3/2 :|", True),
        ("M:6/8 K:F#_minor", False),  # no notes
        ("M:4/4 K:C_major 0:1 | 600:1 |", False),  # far above the range of MIDI
    ],
)
def test_share_of_tunes_that_can_be_parsed(tokens, is_valid):
    assert measures.can_be_parsed(tokens.split()) == is_valid


def test_longest_shared_ngram():
    longest = measures.make_overlap_finder([["0:1", "1:1", "|", "2:1"], ["3:1", "4:1"]])
    assert longest(["9:1", "0:1", "1:1", "2:1", "3:1"]) == 3
    assert longest(["9:1"]) == 0 and longest([]) == 0


def test_style_classifier():
    rows = [["0:1", "2:1", "4:1"] * 3, ["0:2", "7:2", "0:2"] * 3] * 5
    classifier = measures.train_style_classifier(rows, ["quick", "slow"] * 5)
    assert list(classifier.predict(rows[:2])) == ["quick", "slow"]


def test_files(tmp_path):
    import pretty_midi
    from scipy.io import wavfile

    files.write_tune(TOKENS, tmp_path / "tune", "A tune", "mine")
    midi = pretty_midi.PrettyMIDI(str(tmp_path / "tune.mid"))
    sounding = [note for note in tunes.parse_notes(TOKENS) if note.pitch is not None]
    midi_notes = midi.instruments[0].notes
    assert [note.pitch for note in midi_notes] == [note.pitch for note in sounding]
    begins = [float(note.start) * files.QUARTER_SECONDS for note in sounding]
    np.testing.assert_allclose([note.start for note in midi_notes], begins, atol=5e-3)
    rate, sound = wavfile.read(tmp_path / "tune.wav")
    assert len(sound) / rate > begins[-1] and np.abs(sound).max() > 10_000
    [(_, from_abc, _)] = sources.read_tunes("", [(tmp_path / "tune.abc", "", None)])
    assert tunes.parse_notes(from_abc["tokens"].split()) == tunes.parse_notes(TOKENS)
    [(_, from_midi, _)] = sources.read_tunes("", [(tmp_path / "tune.mid", "", None)])
    back = [note for note in tunes.parse_notes(from_midi["tokens"].split()) if note.pitch]
    assert back == sounding
    assert (tmp_path / "tune.png").stat().st_size > 1_000


PROMPTS = {
    "M:6/8 K:G GAB c2d": "M:6/8 K:G_major 0:1/2 2:1/2 4:1/2 5:1 7:1/2",
    "K:G GAB c2|": "M:4/4 K:G_major 0:1/2 2:1/2 4:1/2 5:1 |",
    "L:1/4 K:Amin A,|^FF-": "M:4/4 K:A_minor -12:1 | -3:1 -3:1~",
    "|:c':|z": "M:4/4 K:C_major |: 24:1/2 :| r:1/2",
}


def test_files_of_four_voices(tmp_path):
    import pretty_midi

    tokens = chorales.chorale_to_tokens(chorale(*CHORALE_PITCHES))
    files.write_tune(tokens, tmp_path / "one", "A chorale", "minor")
    tracks = pretty_midi.PrettyMIDI(str(tmp_path / "one.mid")).instruments
    assert [track.name for track in tracks] == ["soprano", "alto", "tenor", "bass"]
    assert [[note.pitch for note in track.notes] for track in tracks] == [*CHORALE_PITCHES[1:]]
    assert (tmp_path / "one.abc").read_text().count("V:") == 4
    files.write_tune(["M:4/4", "K:C_major"], tmp_path / "none", "Silence")
    assert (tmp_path / "none.wav").exists()


def test_prompts():
    for text, tokens in PROMPTS.items():
        assert prompts.parse_prompt(text) == tokens.split()
    chord = ["S4:1", "A0:1", "T-5:1", "B-12:1"]
    together = prompts.parse_prompt("K:G V:1 B2|c [V:2] G2|G V:3 D2|E V:4 G,2|C", 4)
    assert together == ["M:4/4", "K:G_major", *chord, "|", "S5:1/2", "A0:1/2", "T-3:1/2", "B-7:1/2"]


@pytest.mark.parametrize(
    ("text", "voices", "complaint"),
    [
        ("M:6/8", 1, "'M:6/8' has no notes; write it as M:6/8 K:G GAB c2d"),
        ("K:G GAX", 1, "The prompt has 'X', which is not a note; write it as M:6/8 K:G GAB c2d"),
        ("G,,,,", 1, "has ',', which is not a note"),
        ("K:H GAB", 1, "The prompt has K:H, which is not ABC"),
        ("L:0 GAB", 1, "The prompt has L:0, which is not ABC"),
        ("L:1/7 GAB", 1, "The prompt has L:1/7, which is not ABC"),
        ("M:0/4 GAB", 1, "The prompt has M:0/4, which is not ABC"),
        ("K:G G9999", 1, "has 'G9999' between two bar lines: a note may last one bar"),
        ("M:2/4 GG|[GB]3A5|G", 1, "has '[GB]3A5' between two bar lines"),
        ("M:2/4 G4>G4", 1, "has 'G4>G4' between two bar lines"),
        ("M:2/4 (1:9:1G", 1, "has '(1:9:1G' between two bar lines"),
        ("K:G " + "G8" * 9, 1, "all notes together 8 whole notes"),
        ("G" * 501, 1, "The prompt has 501 characters; the maximum is 500"),
        ("G7/0", 1, "is not ABC notation: "),
        ("V:1 G V:2 A", 1, "The prompt has 2 voices, not 1"),
        ("K:G GAB", 4, "has 1 voices, not 4; write it as K:G V:1 B2 V:2 G2 V:3 D2 V:4 G,2"),
        ("V:1 G|A V:2 G V:3 G V:4 G", 4, "voices have different numbers of bars"),
    ],
)
def test_invalid_prompts(text, voices, complaint):
    with pytest.raises(InputError, match=re.escape(complaint)):
        prompts.parse_prompt(text, voices)


def folder_of_tunes(folder, count=24):
    """Write tunes of two styles: rising eighth notes, and falling quarter notes."""
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
    score.write("mxl", folder / "up" / "two.mxl")
    (folder / "down" / "broken.mid").write_bytes(b"this is not a MIDI file")
    (folder / "down" / "empty.abc").write_text("X:1\nM:4/4\nK:C\n\n")
    return folder


def test_arguments_of_bar_layers():
    tokens = ["", "M:6/8", "K:C_major", "|", ":|", "|:", "7:1/2", "r:1/3~", "M:1/4"]
    durations, bar_ends, bar_lengths = model.bar_arguments(tokens)
    assert durations == [[0, 0, 0, 0, 0, 0, 24, 16, 0]]
    assert (bar_ends, bar_lengths) == ([3, 4], {1: 144, 8: 48})
    durations, _, _ = model.bar_arguments(["", "S7:1", "T-5:3/2", "B0:1/2"])
    assert durations == [[0, 48, 0, 0], [0] * 4, [0, 0, 72, 0], [0, 0, 0, 24]]


SMALL = ["--units", "16", "--num-layers", "1", "--steps", "2", "--dropout", "0"]


@pytest.mark.slow
def test_own_tunes_end_to_end(workplace, monkeypatch, capsys):
    for name, value in {"NUM_GENERATED": 4, "NUM_WRITTEN": 1, "MAX_LENGTH": 12}.items():
        monkeypatch.setattr(metric, name, value)
    folder = folder_of_tunes(workplace / "mine")
    arguments = ["train", "music", "--data", str(folder), *SMALL]
    assert cli.main(arguments) == 2
    assert "broken.mid is damaged or is not MIDI" in capsys.readouterr().err
    assert cli.main([*arguments, "--errors", "skip"]) == 0
    out = capsys.readouterr()
    assert "left out 1 bad row" in out.err and "broken.mid" in out.err
    assert "left out 1: tunes without notes" in out.out
    assert "styles: down (24), up (26)" in out.out
    assert len(list((workplace / "runs/music/default/samples").glob("*"))) == 2 * 1 * 4
    assert (workplace / "runs/music/default/measures.json").exists()
    run = "runs/music/default"
    arguments = [
        "predict",
        run,
        "1",
        "down",
        "--seed",
        "3",
        "--prompt",
        "K:C CDE",
        "--folder",
        "made",
    ]
    assert cli.main(arguments) == 0
    assert sorted(file.suffix for file in (workplace / "made").glob("up_3.*")) == [
        ".abc",
        ".mid",
        ".png",
        ".wav",
    ]
    tunes_benchmark.main([run, "--tunes", "1"])
    rows = capsys.readouterr().out.splitlines()[-4:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| real",
        *(f"| temperature {temperature}" for temperature in tunes_benchmark.TEMPERATURES),
    ]
    assert cli.main(["predict", run, "7"]) == 2
    assert "There is no style 7. Styles: 0 down, 1 up" in capsys.readouterr().err
    assert cli.main(["predict", run, "1", "--prompt", "K:C c'"]) == 2
    assert (
        "The prompt has 24:1/2, which is not in the vocabulary of the model"
        in capsys.readouterr().err
    )


@pytest.mark.slow
def test_chorales_end_to_end(workplace, monkeypatch, capsys):
    for name, value in {"NUM_GENERATED": 3, "MAX_LENGTH": 12}.items():
        monkeypatch.setattr(metric, name, value)
    pieces = [chorale(*CHORALE_PITCHES[:-1], [50, 45, 48 - number, 50]) for number in range(12)]
    # A transposed chorale counts as the same chorale.
    pieces.append(chorale(*[[midi + 2 for midi in line] for line in CHORALE_PITCHES], sharps=2))
    monkeypatch.setattr(chorales, "load_scores", lambda: iter(pieces))
    monkeypatch.setattr(model, "MIN_COUNT", 1)
    assert cli.main(["train", "music", "--data", "chorales", *SMALL]) == 0
    splits = registry.find("music").import_recipe().load(config.Config(data="chorales"))
    assert sum(len(split.inputs) for split in splits.values()) == 12
    run = "runs/music/default"
    measured = json.loads((workplace / run / "measures.json").read_text())
    assert {"in_range", "parallels"} <= set(measured["minor"]["generated"])
    prompt = "M:2/4 L:1/4 K:Ddor V:1 A A V:2 F E V:3 A, A, V:4 D, A,,"
    arguments = ["predict", run, "0", "--folder", "made", "--temperature", "0.5", "--prompt"]
    assert cli.main([*arguments, prompt]) == 0
    assert "V:4" in (workplace / "made" / "minor_0.abc").read_text()
    capsys.readouterr()
    assert cli.main([*arguments, "K:G GAB"]) == 2
    assert "The prompt has 1 voices, not 4" in capsys.readouterr().err


@pytest.mark.slow
def test_one_file_is_one_style(workplace, monkeypatch):
    for name, value in {"NUM_GENERATED": 2, "NUM_WRITTEN": 1, "MAX_LENGTH": 12}.items():
        monkeypatch.setattr(metric, name, value)
    book = folder_of_tunes(workplace / "mine") / "up" / "book.abc"
    assert cli.main(["train", "music", "--data", str(book), *SMALL]) == 0
    assert cli.main(["predict", "runs/music/default", "book", "--folder", "made"]) == 0
    assert (workplace / "made" / "book_0.abc").exists()


def test_invalid_data(workplace, capsys):
    assert cli.main(["train", "music", "--data", "tfds:groove"]) == 2
    assert "TFDS has no tunes with styles" in capsys.readouterr().err
    for name in ("none", "broken/a", "broken/b"):
        (workplace / name).mkdir(parents=True)
    assert cli.main(["train", "music", "--data", "none"]) == 2
    assert "none has no files of tunes; those end in .abc, .mid" in capsys.readouterr().err
    (workplace / "broken" / "a" / "one.mid").write_bytes(b"no")
    (workplace / "broken" / "b" / "one.abc").write_text("X:1\nK:C\n")
    for _ in range(2):  # a failed attempt leaves nothing behind
        assert cli.main(["train", "music", "--data", "broken"]) == 2
        assert "one.mid is damaged or is not MIDI" in capsys.readouterr().err
