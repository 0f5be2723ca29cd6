"""Melodies of MIDI files: damaged and unusual files, skyline, grid, bars and keys."""

import io
from fractions import Fraction

import mido
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras_seq_recipes.music import melodies, midi, skylines, tunes

from keras_seq._internal.errors import InputError
from keras_seq.data import limits

DRUMS_FIRST = bytes.fromhex(
    "4d546864000000060001000201e04d54726b000000280099246483608924000099246483608924000099246483"
    "6089240000992464836089240000ff2f004d54726b000000300090305000904850836080480000904a50836080"
    "4a0000904c508360804c0000904d508360804d000080300000ff2f00"
)
HELD_BASS = bytes.fromhex(
    "4d546864000000060000000101e04d54726b000000300090305000904850836080480000904a508360804a0000"
    "904c508360804c0000904d508360804d000080300000ff2f00"
)
MELODY = ["M:4/4", "K:C_major", "12:1", "14:1", "16:1", "17:1", "|"]
NOTES = b"\0\x90\x3c\x40\x60\x80\x3c\x40\0\x90\x3e\x40\x60\x80\x3e\x40"
END = b"\0\xff\x2f\0"


def head(num_tracks=1, kind=0, ticks=96):
    numbers = (kind, num_tracks, ticks)
    return b"MThd\0\0\0\6" + b"".join(number.to_bytes(2, "big") for number in numbers)


def track(content, size=None, end=END):
    content += end
    return b"MTrk" + (len(content) if size is None else size).to_bytes(4, "big") + content


def read(content):
    return skylines.midi_to_melody(midi.MidiFile(content, "a.mid"))


def test_drums_are_left_out():
    melody = read(DRUMS_FIRST)
    assert melody.tokens == MELODY
    assert melody.left_out == {"notes of drums (channel 10)": 4, "notes below a higher one": 1}
    only_drums = head() + track(b"\0\x99\x3c\x40\x60\x89\x3c\x40")
    with pytest.raises(melodies.NoNotesError, match="has no notes other than drums"):
        read(only_drums)


def test_the_melody_above_a_held_note_is_read():
    melody = read(HELD_BASS)
    assert melody.tokens == MELODY
    assert melody.left_out == {"notes below a higher one": 1}
    assert melody.decisions == ("melody: highest note that sounds", "key estimated from the notes")


RUNNING = b"\0\x90\x3c\x40\x60\x3c\0\0\x3e\x40\x60\x3e\0"


@pytest.mark.parametrize(
    "content",
    [
        head() + track(NOTES),
        head() + track(RUNNING),
        head() + track(RUNNING.replace(b"\0\x3e\x40", b"\0\xff\x01\x01a\0\x3e\x40")),
        head() + track(b"\0\x90\x3c\x40\x60\x3e\x40\x60\xb0\x07\x60"),
        head() + track(b"\0\x90\x3e\x40\x60\x3c\x40\x60\xb0\x07\x60").replace(b"\x3e", b"\x3b"),
        head() + track(NOTES, end=b""),
        head() + track(NOTES, size=999),
        head() + b"XFIH\0\0\0\4abcd" + track(NOTES),
        head(3, 1) + track(NOTES) + b"\0\0\0",
        head().replace(b"\6\0", b"\x08\0", 1) + b"\0\0" + track(NOTES),
        head(2, 1) + track(b"\0\xff\x03\x04\xc3\xbc\xff\xfe") + track(NOTES),
        head() + track(b"\0\xb0\x07\xff\0\xf0\3\1\2\xf7\0\xf3\1\0\xff\x51\2\1\2" + NOTES),
        head() + track(b"\0\xff\x59\2\x63\x09" + NOTES),
        b"RIFF" + bytes(4) + b"RMIDdata" + bytes(4) + head() + track(NOTES),
    ],
    ids=[
        *("plain", "running status", "meta in running status", "no note-off", "note-offs missing"),
        *("no end of track", "size too large", "foreign chunk", "number of tracks", "long header"),
        *("name in another encoding", "other events", "no such key", "RMID"),
    ],
)
def test_unusual_files(content):
    tokens = read(content).tokens
    pitches = [note.pitch for note in tunes.parse_notes(tokens)]
    assert [token.partition(":")[2] for token in tokens[2:]] == ["1", "1", ""]
    assert pitches in ([60, 62], [59, 60])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (head()[:10], "has no header MThd"),
        (b"RIFF" * 9, "has no header MThd"),
        (b"", "has no header MThd"),
        (head(), "has no track"),
        (head(kind=2) + track(NOTES), "a.mid is a MIDI file of type 2, whose tracks are"),
        (head(ticks=0xE728) + track(NOTES), "a.mid measures time in frames of film"),
        (head(ticks=0) + track(NOTES), "is damaged or is not MIDI: it has 0 ticks"),
        ((head() + track(NOTES))[:-7], "is damaged or is not MIDI: track 1 ends within an event"),
        ((head() + track(NOTES))[:-8], "is damaged or is not MIDI: track 1 is cut off"),
        (head() + track(b"\0\x3c\x40"), "track 1 has a message without a status"),
        (head() + track(b""), "a.mid has no notes"),
        (head() + track(NOTES[:4] + b"\xff\xff\xff\x7f\x80\x3c\x40"), "the duration in quarter"),
        (head() + track(NOTES * 5_001), "the number of notes is 10002, above"),
        (head() + track(b"\0\xff\x58\4\1\2\x18\x08" + NOTES * 2_001), "number of bars is 4002,"),
        (head() + track(b"\0\xff\x58\4\4\xff\x18\x08" + NOTES), "the number of bars is"),
    ],
)
def test_damaged_files(content, message):
    with pytest.raises(InputError, match=message):
        read(content)


def test_a_large_file(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(bytes(20))
    with limits.override(max_midi_bytes=19), pytest.raises(limits.LimitError, match="size in byt"):
        midi.read_midi(path)


def write(*tracks, ticks=480, kind=1):
    """Return a MIDI file whose tracks have events (start, end, pitch) or messages."""
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for events in tracks:
        timed = []
        for event in events:
            if isinstance(event, tuple):
                start, end, pitch = event
                timed.append((start, 1, mido.Message("note_on", note=pitch, velocity=64)))
                timed.append((end, 0, mido.Message("note_off", note=pitch)))
            else:
                timed.append((event.time, -1, event))
        result, now = mido.MidiTrack(), 0
        for time, _, message in sorted(timed, key=lambda item: item[:2]):
            result.append(message.copy(time=time - now))
            now = time
        file.tracks.append(result)
    content = io.BytesIO()
    file.save(file=content)
    return content.getvalue()


def meta(kind, time=0, **fields):
    return mido.MetaMessage(kind, time=time, **fields)


def test_overlapping_voices():
    # A higher note hides a lower one, which goes on after it.
    assert read(write([(0, 1920, 60), (480, 960, 67)])).tokens[2:] == ["0:1", "7:1", "0:2", "|"]
    # Repeated notes under a held one, and the same note twice.
    low = [(0, 480, 60), (480, 960, 60)]
    assert read(write(low, [(0, 960, 72)])).tokens[2:] == ["12:2", "|"]
    assert read(write(low, low)).tokens[2:] == ["0:1", "0:1", "|"]


def test_tracks_and_names():
    chords = [meta("track_name", name="Strings"), (0, 960, 84)]
    voice = [meta("track_name", name="Lead Vocals"), (0, 480, 60), (480, 960, 64)]
    melody = read(write(chords, voice))
    assert melody.tokens[2:] == ["0:1", "4:1", "|"]
    assert melody.left_out == {"notes of other tracks": 1}
    assert melody.decisions[0] == "melody: track named 'Lead Vocals'"
    # Two such names decide nothing.
    assert read(write(voice, voice, chords)).tokens[2:] == ["24:2", "|"]


def test_meters_keys_and_bars():
    time = [
        meta("time_signature", numerator=3, denominator=4),
        meta("time_signature", 1440, numerator=6, denominator=8),
        meta("set_tempo", 700, tempo=300_000),
        meta("key_signature", key="Ebm"),
    ]
    content = write(time, [(480, 960, 63), (1200, 1920, 70), (2880, 3360, 63)])
    tokens = " ".join(read(content).tokens)
    assert tokens == "M:3/4 K:E-_minor r:1 0:1 r:1/2 7:1/2~ | M:6/8 7:1 r:2 | 0:1 |"
    # Bars of rest before the first note, and a meter that changes within a bar.
    time = [meta("time_signature", 720, numerator=2, denominator=4)]
    melody = read(write(time, [(2880, 3840, 60)]))
    assert melody.left_out == {"bars of rest at the beginning": 3}
    assert melody.tokens[2:] == ["r:1/2", "0:3/2~", "|", "0:1/2", "|"]
    assert melody.tokens[0] == "M:2/4"


def test_played_notes_are_placed_on_a_grid():
    # Notes that end early, as many programs write them.
    early = [(number * 480, number * 480 + 455, 60 + number) for number in range(4)]
    melody = read(write(early))
    assert [token.partition(":")[2] for token in melody.tokens[2:]] == ["1", "1", "1", "1", ""]
    assert not any("rounded" in decision for decision in melody.decisions)
    # Played notes, over a held note that would be heard between them.
    played = [(7, 470, 72), (489, 955, 74), (950, 1_202, 76), (1_195, 1_900, 77)]
    melody = read(write([(3, 1_915, 48), *played]))
    assert [token.partition(":")[2] for token in melody.tokens[2:]] == ["1", "1", "1/2", "3/2", ""]
    assert "times rounded to sixteenth notes and triplets of eighth notes" in melody.decisions
    # Short notes have at least a step.
    assert read(write([(7, 20, 72), (489, 500, 74)])).tokens[2] == "12:1/4"


@pytest.mark.parametrize(
    ("tonic", "steps", "token"),
    [
        (62, (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0), "K:D_major"),
        (61, (0, 2, 3, 5, 7, 8, 7, 3, 2, 0, 0), "K:C#_minor"),
        (70, (0, 2, 4, 5, 7, 9, 11, 12, 7, 4, 0), "K:B-_major"),
    ],
)
def test_key_of_the_notes(tonic, steps, token):
    notes = [(480 * n, 480 * n + 480, tonic + step) for n, step in enumerate(steps)]
    assert read(write(notes)).tokens[1] == token


def test_keys_and_signatures():
    for mode in tunes.MODE_FIFTHS:
        for fifths in range(-7, 8):
            key = melodies.Key.from_fifths(fifths, mode)
            assert key.fifths == fifths
            assert key.tonic == tunes.parse_head([key.token]).tonic - 60


LENGTHS = st.sampled_from(["1/4", "1/3", "1/2", "2/3", "1", "3/2", "3"])
NOTES_AND_RESTS = st.lists(
    st.tuples(st.one_of(st.none(), st.integers(36, 96)), LENGTHS.map(Fraction)),
    min_size=1,
    max_size=20,
).filter(lambda events: events[-1][0] is not None)


@settings(max_examples=100, deadline=None)
@given(NOTES_AND_RESTS, st.integers(-7, 7), st.sampled_from(["4/4", "6/8", "2/4"]), st.booleans())
def test_melodies_written_and_read_back(events, fifths, meter, has_bass):
    ticks, now, notes = 480, Fraction(0), []
    for pitch, length in events:
        if pitch is not None:
            notes.append((now, now + length, pitch))
        now += length
    numerator, denominator = map(int, meter.split("/"))
    key = melodies.Key.from_fifths(fifths, "major")
    name = key.tonic_name.replace("-", "b")
    first = [
        meta("time_signature", numerator=numerator, denominator=denominator),
        meta("key_signature", key=name),
        *[(int(start * ticks), int(end * ticks), pitch) for start, end, pitch in notes],
    ]
    # A bass below the melody is heard only where the melody rests.
    low = [(int(start * ticks), int(end * ticks), 24) for start, end, _ in notes]
    melody = read(write(first, low if has_bass else []))
    assert melody.tokens[:2] == [f"M:{meter}", key.token]
    back = [
        (note.start, note.start + note.length, note.pitch)
        for note in tunes.parse_notes(melody.tokens)
        if note.pitch is not None
    ]
    skipped = notes[0][0] - back[0][0]
    assert skipped % (4 * Fraction(meter)) == 0
    assert [(start + skipped, end + skipped, pitch) for start, end, pitch in back] == notes
    for bar in tunes.split_bars(melody.tokens)[:-1]:
        assert sum(map(tunes.parse_length, bar)) == 4 * Fraction(meter)
