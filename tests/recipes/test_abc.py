"""Tunes in ABC notation: notes, fields, bars, voices, and tune books."""

import contextlib
import re
import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from keras_seq_recipes.music import notation, tunes
from keras_seq_recipes.music.abc_books import AbcBook
from keras_seq_recipes.music.melodies import NoNotesError

from keras_seq._internal.errors import InputError
from keras_seq.data import limits

HEAD = "X:1\nT:a\nM:4/4\nL:1/4\nK:C\n"


def read_book(text):
    return [tune.read("a.abc") for tune in AbcBook(enumerate(text.split("\n"), 1))]


def read_tokens(text):
    [melody] = read_book(text)
    return melody.tokens


def read_body(body, head=HEAD):
    return " ".join(read_tokens(head + body)[2:])


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("CDEF|[L:1/8]CDEFGABc|", "0:1 2:1 4:1 5:1 | " + "0:1/2 2:1/2 4:1/2 5:1/2 7:1/2 9:1/2 "
         "11:1/2 12:1/2 |"),
        ("C4|\nL:1/8\nC8|", "0:4 | 0:4 |"),
        ("CF|[K:D]CF|", "0:1 5:1 | 1:1 6:1 |"),
        ("CF|\nK:D\nCF|[K:clef=bass]F|", "0:1 5:1 | 1:1 6:1 | 6:1 |"),
        ("C4|[M:3/4]C3|", "0:4 | M:3/4 0:3 |"),
        ("C4|\nM:2+3/8\n|:C3/2D:|", "0:4 | M:5/8 |: 0:3/2 2:1 :|"),
        ("C4|[Q:1/4=90]D[P:B]E[r:a b c]F[I:abc]G|", "0:4 | 2:1 4:1 5:1 7:1 |"),
        ("C|\nw:a b c\ns:!f! *\nW:a b\nr:a\n+:b\nI:a\nP:A\nD|", "0:1 | 2:1 |"),
        ("c:|", "12:1 :|"),
        ("c::d:", "12:1 :| |: 14:1 |"),
        ("C|\nC:A. Bee\nE:9\nG:fad\nD|\nx:|", "0:1 | 2:1 | r:1 :|"),
    ],
)  # fmt: skip
def test_fields_within_a_tune(body, tokens):
    assert read_body(body) == tokens


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("E+fermata+F !trill!G A|", "4:1 5:1 7:1 9:1 |"),
        ("+f+C +ff+D+ceg+2 !D.C. al fine!E|", "0:1 2:1 19:2 4:1 |"),
        ("~C .D TE uF vG HA|", "0:1 2:1 4:1 5:1 7:1 9:1 |"),
        ('"Am"C"^text A"D">"E!fermat:a!F!<(!|', "0:1 2:1 4:1 5:1 |"),
        ("C!\nD!|!E*|$", "0:1 2:1 | 4:1 |"),
        ("CyDy2E`F|", "0:1 2:1 4:1 5:1 |"),
        ("{ab}C{/c}D E|", "0:1 2:1 4:1 |"),
        ("C % AB\n% AB\n%%text AB\n%%begintext\nAB|\n%%endtext\nD\\\nE|", "0:1 2:1 4:1 |"),
    ],
)
def test_decorations_and_text_are_no_notes(body, tokens):
    assert read_body(body) == tokens


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("CDEF|Z2|GxBc|", "0:1 2:1 4:1 5:1 | r:4 | r:4 | 7:1 r:1 11:1 12:1 |"),
        ("Z|X2|[M:3/4]Z|zx2C|", "r:4 | r:4 | r:4 | M:3/4 r:3 | r:1 r:2 0:1 |"),
        ("C-C|C-|C C -C|", "0:1~ 0:1 | 0:1~ | 0:1 0:1~ 0:1 |"),
        ("^F-|FF|", "6:1~ | 6:1 5:1 |"),
        ("(3CDE (3:2:2CD E|(2CD|", "0:2/3 2:2/3 4:2/3 0:2/3 2:2/3 4:1 | 0:3/2 2:3/2 |"),
        ("[M:6/8](2CD (4CDEF (3:2C2D2E2|", "0:3/2 2:3/2 0:3/4 2:3/4 4:3/4 5:3/4 0:4/3 "
         "2:4/3 4:4/3 |"),
        ("C>D E<F|C > >D|C>-{d}C|", "0:3/2 2:1/2 4:1/2 5:3/2 | 0:3/2 2:1/2 | 0:3/2~ 0:1/2 |"),
        ("C>>D|C<<<D|", "0:7/4 2:1/4 | 0:1/8 2:15/8 |"),
        ("C/2D/E//F3/2G2/4A1|", "0:1/2 2:1/2 4:1/4 5:3/2 7:1/2 9:1 |"),
        ("[CEG][C2E2]D|[C2E2]2|[c-E]c|[CE]-[CE]|", "7:1 4:2 2:1 | 4:4 | 12:1~ 12:1 | 4:1~ 4:1 |"),
        ("C,,c''cC|", "-24:1 36:1 12:1 0:1 |"),
        ("CD & E2|F|", "0:1 2:1 | 5:1 |"),
    ],
)  # fmt: skip
def test_notes_and_rests(body, tokens):
    assert read_body(body) == tokens


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("^FFfGF|F^^C__D|", "6:1 6:1 18:1 7:1 6:1 | 5:1 2:1 0:1 |"),
        ("_BB=BB|B|", "10:1 10:1 11:1 11:1 | 11:1 |"),
        ("%%propagate-accidentals octave\n^FFf|", "6:1 6:1 17:1 |"),
        ("%%propagate-accidentals not\n^FFf|", "6:1 5:1 17:1 |"),
    ],
)
def test_accidentals_hold_to_the_end_of_the_bar(body, tokens):
    assert read_body(body) == tokens


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
def test_the_version_decides_about_accidentals(head, carries):
    book = head + "X:1\nM:3/4\nL:1/4\nK:G\n^GGF|G=FF|\n\nX:2\nL:1/4\nK:C\n_BB|\n"
    first, second = (tunes.parse_notes(melody.tokens) for melody in read_book(book))
    expected = [8, 8, 6, 7, 5, 5] if carries else [8, 7, 6, 7, 5, 6]
    assert [note.pitch - 60 for note in first] == expected
    assert [note.pitch - 60 for note in second] == ([10, 10] if carries else [10, 11])


@pytest.mark.parametrize(
    ("body", "tokens"),
    [
        ("|:C|D:|E|]", "|: 0:1 | 2:1 :| 4:1 |"),
        ("C|1 D:|2 E|]", "0:1 | 2:1 :| 4:1 |"),
        ("C|[1 D:|[2,3 E|]", "0:1 | 2:1 :| 4:1 |"),
        ("|:C::D:|", "|: 0:1 :| |: 2:1 :|"),
        ("|:C:|:D:||:E|:", "|: 0:1 :| |: 2:1 :| |: 4:1 |"),
        ("C||D[|E.|F|\n|G|\n:|", "0:1 | 2:1 | 4:1 | 5:1 | 7:1 :|"),
        ("C:]D", "0:1 :| 2:1 |"),
        ("|[CE]C|[|]D|", "4:1 0:1 | 2:1 |"),
    ],
)
def test_bars_and_repeats(body, tokens):
    assert read_body(body) == tokens


@pytest.mark.parametrize(
    ("key", "token", "pitches"),
    [
        ("Ddor", "K:D_dorian", [60, 65]),
        ("D dorian", "K:D_dorian", [60, 65]),
        ("A Mixolydian", "K:A_mixolydian", [61, 66]),
        ("Bbm", "K:B-_minor", [60, 65]),
        ("Glyd", "K:G_lydian", [61, 66]),
        ("C#", "K:C#_major", [61, 66]),
        ("Am clef=bass", "K:A_minor", [60, 65]),
        ("G treble-8", "K:G_major", [48, 54]),
        ("C octave=1", "K:C_major", [72, 77]),
        ("HP", "K:A_mixolydian", [61, 66]),
        ("none", "K:C_major", [60, 65]),
        ("", "K:C_major", [60, 65]),
        ("D exp ^f", "K:D_major", [60, 66]),
        ("D =c", "K:D_major", [60, 66]),
        ("Dmix=c_f", "K:D_mixolydian", [60, 64]),
        ("C middle=d clef=c", "K:C_major", [60, 65]),
        ("Ebmin", "K:E-_minor", [59, 65]),
    ],
)
def test_keys(key, token, pitches):
    parsed = read_tokens(HEAD.replace("K:C", f"K:{key}") + "CF|")
    assert parsed[1] == token
    assert [note.pitch for note in tunes.parse_notes(parsed)] == pitches


def test_unit_length_of_a_tune_without_one():
    head = "X:1\nM:{}\nK:C\n"
    assert read_body("C|", head.format("3/4")) == "0:1/2 |"
    assert read_body("C|", head.format("2/4")) == "0:1/4 |"
    assert read_tokens(head.format("C|") + "C|") == ["M:2/2", "K:C_major", "0:1/2", "|"]
    assert read_tokens(head.format("none") + "C|")[0] == "M:4/4"
    assert read_tokens(head.format("FREI6/8") + "C|")[0] == "M:6/8"
    assert read_tokens("X:1\nK:C\nM:6/8\nL:1/4\nC|") == ["M:6/8", "K:C_major", "0:1", "|"]


def test_voices():
    body = "V:1\nCD|\nV:2\nC,D,|\nV:1\nEF|\n[V:2]E,F,|\n"
    [melody] = read_book(HEAD + body)
    assert melody.tokens[2:] == ["0:1", "2:1", "|", "4:1", "5:1", "|"]
    assert melody.left_out == {"notes of further voices": 4}
    assert melody.decisions == ("melody: first voice",)
    # A voice without notes is skipped. A voice has its own unit length and octave.
    assert read_body("V:1\nz2|\nV:2 octave=1\nL:1/8\nC2|\nV:3\nC|") == "12:1 |"


def test_what_is_left_out_is_counted():
    [melody] = read_book(HEAD + "{ab}C [CEG] ^/D = % &\nw & E2|")
    assert melody.left_out == {
        "grace notes": 2,
        "notes below the highest of a chord": 2,
        "quarter tones": 1,
        "characters that are not ABC": 1,
        "further voices within a bar (&)": 1,
    }


BOOK = f"""%abc-2.1
A book of tunes by C. D. Eager

{HEAD}CDEF|

Text between tunes: AB|

X:2
K:G
GABc|
dedB|

X: 3
T:Only words
K:C
W:la la
"""


def test_tune_books():
    book = AbcBook(enumerate(BOOK.split("\n"), 1))
    first, second, third = book
    assert first.read("a.abc").tokens[2:] == ["0:1", "2:1", "4:1", "5:1", "|"]
    assert second.key() == "GABc| dedB|"
    assert second.read("a.abc").tokens.count("|") == 2
    assert book.num_other_lines == 2
    with pytest.raises(NoNotesError, match="line 21: the tune has no notes"):
        third.read("a.abc")


@pytest.mark.parametrize(
    ("abc", "message"),
    [
        (HEAD + "C/0|", "a.abc, line 6: the length of 'C/0' has a division by zero"),
        (HEAD + "C|\nG99999999|", "line 7: a number has 8 digits"),
        (HEAD + "C[CEG D|", r"line 6: the chord '\[CEG D\|' has no closing bracket"),
        (HEAD + "(0CD|", "line 6: a tuplet has 0 notes"),
        (HEAD + "[M:0/4]C", "line 6: there is no meter 0/4"),
        (HEAD.replace("4/4", "x"), "line 3: 'x' is not a meter; write it as M:4/4"),
        (HEAD.replace("1/4", "1/0"), "line 4: '1/0' is not a unit length; write it as L:1/8"),
        (HEAD.replace("K:C", "K:H"), "line 5: 'H' is not a key; write it as K:G or K:Edor"),
        ("X:1\nT:a\nCDEF|", "line 3: the tune has no key; write a line such as K:C"),
        (HEAD + "|", "line 6: the tune has no notes"),
        (HEAD + "z4|", "line 6: the tune has no notes"),
        (HEAD + "G9999999|", "a number has 7 digits"),
        (HEAD + "[C400E400]400|", "duration in quarter notes is 160000.0, above"),
        (HEAD + "[M:1000/4]G|", "line 6: the number of beats in a bar is 1000, above"),
        (HEAD + "Z9999|", "the number of bars is 9999, above"),
        (HEAD + "[V:a]Z2500[V:b]Z2500", "the number of bars is 5000, above"),
        (HEAD + "C" + "," * 9, "line 6: the note 'C,,,,,,,,,' is out of the range of MIDI"),
        (HEAD + "G|" * 4_001, "the number of bars is 4001, above"),
        (HEAD + "G" * 10_001 + "|", "the number of notes is"),
        (HEAD + "G" * 100_000, "the length in characters is"),
    ],
)
def test_errors(abc, message):
    with pytest.raises(InputError, match=message):
        read_tokens(abc)


@pytest.mark.parametrize(
    "body",
    ["[" * 90_000, "[V:{}]C\n", "C" + "> " * 40_000, "!" * 90_000, "\nK:C " + "a" * 90_000 + "\n",
     "\nM:1" + " " * 90_000, ":" * 90_000, "^1" * 40_000, "[C" * 30_000, "+a" * 40_000],
)  # fmt: skip
def test_long_runs_of_symbols_take_linear_time(body):
    if "{}" in body:
        body = "".join(map(body.format, range(8_000)))
    start = time.process_time()
    with contextlib.suppress(InputError):
        read_tokens(HEAD + "C|" + body)
    assert time.process_time() - start < 2


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
LENGTHS = st.sampled_from(["1/4", "1/3", "1/2", "3/4", "1", "7/8"])
PITCHES = st.one_of(st.integers(-14, 26).map(str), st.just("r"))
EVENTS = st.builds("{}:{}".format, PITCHES, LENGTHS)
BARS = st.lists(EVENTS, min_size=1, max_size=4)


@st.composite
def tune_tokens(draw):
    """Return the tokens of a tune with repeats, ties and changes of the meter."""
    tokens = [f"K:{draw(st.sampled_from(KEYS))}"]
    meter = "4/4"
    bars = draw(st.lists(BARS, min_size=1, max_size=6))
    for number, bar in enumerate(bars):
        new = draw(st.sampled_from(["4/4", "6/8", "3/4"]))
        if number == 0:
            tokens.insert(0, f"M:{new}")
        elif new != meter:
            tokens.append(f"M:{new}")
        meter = new
        if draw(st.booleans()):
            tokens.append("|:")
        for event in bar:
            is_tied = not event.startswith("r") and draw(st.booleans())
            tokens.append(f"{event}~" if is_tied else event)
        tokens.append(draw(st.sampled_from(["|", ":|"])))
    # A tune has a note.
    return [*tokens, "0:1", "|"]


@settings(max_examples=60, deadline=None)
@given(tune_tokens())
def test_tokens_to_abc_and_back(tokens):
    assert read_tokens(notation.tokens_to_abc(tokens)) == tokens


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ABCabczxZX[]|:\"!+(){}<>&=_^/,'-239 \n%VKLM;\\", max_size=40)))
@example(["[K:", "\n%%begin(\n"])
def test_any_text_is_read_or_an_error(texts):
    with limits.override(max_tune_bars=50):
        try:
            melodies = read_book(HEAD + "".join(texts))
        except InputError as error:
            assert re.match(r"a\.abc, line \d+: ", str(error))
        else:
            assert all(melody.tokens[0].startswith("M:") for melody in melodies)
