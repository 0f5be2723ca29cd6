"""Melodies of MusicXML files, and files that music21 would parse for minutes."""

import io
import zipfile

import pytest
from keras_seq_recipes.music import scores, tunes

from keras_seq._internal.errors import InputError
from keras_seq.data import limits


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
        (
            musicxml(NOTE, "<time><beats>4</beats><beat-type>1e999</beat-type></time>"),
            "is damaged or is not a tune",
        ),
        (musicxml("<a>" * 100 + "</a>" * 100), "the depth of XML is 65, above"),
        (musicxml(NOTE, "<divisions>0</divisions>"), "is damaged or is not MusicXML: float div"),
        (musicxml(NOTE.replace("<step>D", "<step>J")), "is damaged or is not a tune"),
        ("<html/>", "is damaged or is not a tune: Cannot parse MusicXML files not in score-part"),
        ("G A B", "is damaged or is not XML"),
    ],
    ids=[
        *("duration", "divisions", "notes", "fifths", "beats", "unit", "depth", "zero", "step"),
        *("html", "text"),
    ],
)
def test_musicxml_is_measured_first(tmp_path, content, message):
    path = tmp_path / "a.musicxml"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        scores.read_musicxml(path)


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
    tokens = scores.read_musicxml(path).tokens
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
        scores.read_musicxml(path)


def read_parts(tmp_path, *parts):
    """Return the melody of a score, given the content of the first bar of each part."""
    path = tmp_path / "a.musicxml"
    names = "".join(
        f'<score-part id="P{n}"><part-name>x</part-name></score-part>' for n in range(len(parts))
    )
    bodies = "".join(
        f'<part id="P{n}"><measure number="1"><attributes>{KEY}</attributes>{part}</measure></part>'
        for n, part in enumerate(parts)
    )
    path.write_text(
        f"<score-partwise><part-list>{names}</part-list>{bodies}</score-partwise>", "utf-8"
    )
    return scores.read_musicxml(path)


DRUM = (
    "<note><unpitched><display-step>E</display-step><display-octave>4</display-octave></unpitched>"
    "<duration>1</duration></note>"
)
GRACE = NOTE.replace("<note>", "<note><grace/>").replace("<duration>1</duration>", "")
LOWER = NOTE.replace("<note>", "<note><chord/>").replace("D</step>", "C</step>")
BACK = "<backup><duration>1</duration></backup>"


def test_the_first_part_with_notes_of_definite_pitch_is_read(tmp_path):
    melody = read_parts(
        tmp_path, DRUM * 2, GRACE + NOTE + LOWER + NOTE, LOWER.replace("<chord/>", "")
    )
    assert melody.tokens == ["M:4/4", "K:C_major", "2:1", "2:1", "|"]
    assert melody.left_out == {
        "parts without notes of definite pitch": 1,
        "notes of further parts": 1,
        "grace notes": 1,
        "notes of further voices and of chords": 1,
    }
    assert melody.decisions == ("melody: first part",)
    with pytest.raises(InputError, match="musicxml has no notes"):
        read_parts(tmp_path, DRUM)


def test_drums_between_notes_are_rests(tmp_path):
    assert read_parts(tmp_path, NOTE + DRUM).tokens[2:] == ["2:1", "r:1", "|"]


def test_voices_of_a_bar(tmp_path):
    first, second = (
        NOTE.replace("</duration>", f"</duration><voice>{number}</voice>") for number in (1, 2)
    )
    melody = read_parts(tmp_path, first + BACK + second.replace(">D<", ">C<"))
    assert melody.tokens[2:] == ["2:1", "|"]
    assert melody.decisions == ("melody: first voice of each bar",)
    assert melody.left_out == {"notes of further voices and of chords": 1}


def test_the_container_names_the_score(tmp_path):
    path, file = tmp_path / "a.mxl", io.BytesIO()
    container = '<container><rootfiles><rootfile full-path="b.xml"/></rootfiles></container>'
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("a.xml", "<html/>")
        archive.writestr("b.xml", musicxml(NOTE, KEY))
    path.write_bytes(file.getvalue())
    assert scores.read_musicxml(path).tokens[2:] == ["2:1", "|"]


def test_entities_are_not_expanded(tmp_path):
    path = tmp_path / "a.xml"
    bomb = '<!ENTITY a "aaaaaaaaaa">' + "".join(
        f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi")
    )
    path.write_text(f"<!DOCTYPE s [{bomb}]>" + musicxml(NOTE, KEY).replace("x<", "&i;<"))
    with pytest.raises(InputError, match=r"a\.xml"):
        scores.read_musicxml(path)
