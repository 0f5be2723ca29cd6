"""Scores that music21 would parse for minutes, and damaged scores."""

import io
import zipfile

import pytest
from keras_seq_recipes.music import data, notation, scores, tunes

from keras_seq._internal.errors import InputError
from keras_seq.data import limits

HEAD = "X:1\nM:4/4\nL:1/8\nK:G\n"


@pytest.mark.parametrize(
    ("abc", "message"),
    [
        (HEAD + "G9999999|", "duration in quarter notes is 4999999.5, above the limit of 10000"),
        (HEAD + "[C400E400]400|", "duration in quarter notes is 80000.0, above"),
        (HEAD + "(" * 20_000 + "G" + ")" * 20_000 + "|", "the depth of slurs is 20000, above"),
        (HEAD + "(" * 20_000, "the depth of slurs is 20000, above"),
        (HEAD + "[M:1000000/4]G|", "the number of beats in a bar is 1000000.0, above"),
        (HEAD.replace("4/4", f"{'1+' * 300}1/4") + "G|", "beats in a bar is 301.0, above"),
        (HEAD.replace("1/8", "9999999/1") + "GABc|", "the duration in quarter notes is"),
        (HEAD + "GA|" * 401, "the number of bars is 401, above the limit of 400"),
        (HEAD.replace("4/4", "1/64") + "G1000", "the number of bars is 8000, above"),
        (HEAD + "G|A999|" + "GABc|", "the number of beats in a bar is 999.0, above"),
        (HEAD + "G" * 10_001 + "|", "the number of notes is 10001, above"),
        (HEAD + "G" * 100_000, "the length in characters is"),
        ("X:1\nM:4/4\nK:G\nL:1/0\nG|", "the tune is damaged or is not a tune: division by zero"),
        (HEAD + "|", "the tune has no notes"),
    ],
    ids=[
        *("note", "chord", "slurs", "open slurs", "beats", "sum of beats", "unit", "bars"),
        *("short bars", "long bar", "notes", "text", "zero", "empty"),
    ],
)
def test_abc_is_measured_first(abc, message):
    with pytest.raises(InputError, match=message):
        notation.abc_to_tokens(abc)


def test_slurs_in_titles_and_tuplets_do_not_count():
    abc = HEAD.replace("K:", "T:" + "(" * 99 + "\nK:") + "(3GAB" * 9 + '"(((" (GA) (Bc)|\n'
    with limits.override(max_depth=1):
        assert notation.abc_to_tokens(abc)


def test_a_bar_without_bar_lines_may_be_long():
    assert sum(map(tunes.is_event, notation.abc_to_tokens(HEAD + "G" * 600))) == 600


def midi(*events, ticks=96):
    """Return a MIDI file with one track of events, each after its delta time."""
    track = b"".join(events) + b"\0\xff\x2f\0"
    header = b"MThd" + (6).to_bytes(4, "big") + bytes([0, 0, 0, 1]) + ticks.to_bytes(2, "big")
    return header + b"MTrk" + len(track).to_bytes(4, "big") + track


ON, OFF = b"\0\x90\x3c\x40", b"\x60\x80\x3c\x40"
TIME = b"\0\xff\x58\x04"
LATE = b"\xff\xff\xff\x7f\x80\x3c\x40"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (midi(ON, LATE), r"a\.mid: the duration in quarter notes is 2796202.65625, above"),
        (midi(*[ON, OFF] * 10_001), "the number of notes is 10001, above"),
        (midi(TIME + b"\1\2\x18\x08", *[ON, OFF] * 4_001), "the number of bars is 4001, above"),
        (midi(TIME + b"\xff\x02\x18\x08", *[ON, OFF] * 2), None),
        (midi(TIME + b"\x04\xff\x18\x08", *[ON, OFF] * 2), "the number of bars is"),
        (midi(ON, OFF, ticks=0), "is damaged or is not a tune"),
        (midi(ON, OFF)[:20], "is damaged or is not a tune"),
        (b"RIFF" * 9, "is damaged or is not a tune"),
    ],
    ids=["late", "notes", "bars", "255/4", "4/2^255", "no ticks", "cut", "other"],
)
def test_midi_is_measured_first(tmp_path, content, message):
    path = tmp_path / "a.mid"
    path.write_bytes(content)
    if message is None:
        assert notation.score_to_tokens(scores.parse_file(path))[:1] == ["M:255/4"]
    else:
        with pytest.raises(InputError, match=message):
            scores.parse_file(path)


def test_a_large_midi_file(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(bytes(2**18 + 1))
    with pytest.raises(limits.LimitError, match="the size in bytes is 262145, above"):
        scores.parse_file(path)


def musicxml(measure, head="<divisions>1</divisions>"):
    return (
        '<score-partwise><part-list><score-part id="P"><part-name>x</part-name></score-part>'
        f'</part-list><part id="P"><measure number="1"><attributes>{head}</attributes>{measure}'
        "</measure></part></score-partwise>"
    )


KEY = "<divisions>1</divisions><key><fifths>0</fifths></key>"
NOTE = "<note><pitch><step>D</step><octave>4</octave></pitch><duration>1</duration></note>"
DEGREE = "<degree><degree-value>5</degree-value><degree-alter>999999999</degree-alter></degree>"
CHORD = f"<harmony><root><root-step>C</root-step></root><kind>major</kind>{DEGREE}</harmony>"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (musicxml(NOTE.replace(">1<", ">9999999<")), "the duration in quarter notes is 9999999"),
        (musicxml(NOTE, "<divisions>1e-9</divisions>"), "the duration in quarter notes is"),
        (musicxml(NOTE * 10_001), "the number of notes is 10001, above"),
        (musicxml(NOTE, "<key><fifths>9999999</fifths></key>"), "a key has 9999999 sharps or"),
        (
            musicxml(NOTE, "<time><beats>9999999</beats><beat-type>4</beat-type></time>"),
            "the number of beats in a bar is 9999999",
        ),
        (musicxml("<a>" * 100 + "</a>" * 100), "the depth of XML is 65, above"),
        (musicxml(NOTE, "<divisions>0</divisions>"), "is damaged or is not MusicXML: float div"),
        (musicxml(NOTE.replace("<step>D", "<step>J")), "is damaged or is not a tune"),
        ("<html/>", "is damaged or is not a tune: Cannot parse MusicXML files not in score-part"),
        ("G A B", "is damaged or is not XML"),
    ],
    ids=[
        *("duration", "divisions", "notes", "fifths", "beats", "depth", "zero", "step", "html"),
        "text",
    ],
)
def test_musicxml_is_measured_first(tmp_path, content, message):
    path = tmp_path / "a.musicxml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        scores.parse_file(path)


def zipped(content, name="score.xml", how=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", how) as archive:
        archive.writestr("META-INF/container.xml", "<container/>")
        archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_compressed_musicxml(tmp_path, encoding):
    path = tmp_path / "a.mxl"
    path.write_bytes(zipped(musicxml(CHORD + NOTE * 2, KEY).encode(encoding)))
    tokens = notation.score_to_tokens(scores.parse_file(path))
    assert list(filter(tunes.is_event, tokens)) == ["2:1", "2:1"]


@pytest.mark.parametrize(
    ("content", "limit", "message"),
    [
        (zipped(bytes(2**22)), {}, "the ratio of unpacked to packed bytes is"),
        (zipped(b"x"), {"max_archive_members": 1}, "the number of files in it is 2, above"),
        (
            zipped(bytes(2_000), how=zipfile.ZIP_STORED),
            {"max_unpacked_bytes": 1_999},
            "the unpacked size in bytes is 2000, above",
        ),
        (zipped(b"x", "score.txt"), {}, "contains no score"),
        (zipped(b"x" * 99)[:-30], {}, "is damaged or is not compressed MusicXML: File is not a"),
        (
            zipped(b"x" * 99, how=zipfile.ZIP_STORED).replace(b"x" * 99, b"y" * 99),
            {},
            "is damaged or is not compressed MusicXML",
        ),
    ],
    ids=["bomb", "members", "unpacked", "no score", "cut", "changed"],
)
def test_archives(tmp_path, content, limit, message):
    path = tmp_path / "a.mxl"
    path.write_bytes(content)
    with limits.override(**limit), pytest.raises(InputError, match=message):
        scores.parse_file(path)


def test_a_long_tune_is_not_left_out(workplace, capsys):
    """The dataset must not depend on the limits."""
    for name, abc in (("a", HEAD + "GABc|" * 3), ("b", HEAD + "GABc|" * 5)):
        (workplace / "mine" / name).mkdir(parents=True)
        (workplace / "mine" / name / "x.abc").write_text(abc)
        (workplace / "mine" / name / "y.abc").write_text(HEAD + "L:1/0\nG|")
    files = [(workplace / f"mine/{name}/{x}.abc", name, None) for name in "ab" for x in "xy"]
    examples = list(data.read_tunes(data.list_file_tunes(files)))
    assert [row["style"] for _, row, _ in examples] == ["a", "b"]
    message = capsys.readouterr().err
    assert "y.abc, tune 1 is damaged or is not a tune" in message
    assert "Left out 2 of 4 tunes" in message
    with (
        limits.override(max_abc_bars=4),
        pytest.raises(limits.LimitError, match=r"b/x\.abc, tune"),
    ):
        list(data.read_tunes(data.list_file_tunes(files)))
