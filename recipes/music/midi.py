"""Notes of Standard MIDI Files.

The format is read here, because libraries reject files that players play: mido those with foreign
chunks, invalid keys or a wrong number of tracks, symusic those with a long header, and both those
within RIFF or with a wrong size of a track. symusic drops notes without an end.
"""

import bisect
import struct
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from keras_seq import InputError
from keras_seq.data.opening import check_regular_file

DRUM_CHANNEL = 9
"""Channel of drums in General MIDI, counted from 0. It is known as channel 10."""
NOTE_OFF, NOTE_ON = 0x8, 0x9
"""Upper halves of the status of a note's end and beginning."""
META, SYSTEM = 0xFF, (0xF0, 0xF7)
"""Status of meta events, and of system-exclusive messages."""
TRACK_NAME, END_OF_TRACK, TIME_SIGNATURE, KEY_SIGNATURE = 0x03, 0x2F, 0x58, 0x59
"""Types of meta events."""
DATA_BYTES = {0x8: 2, 0x9: 2, 0xA: 2, 0xB: 2, 0xC: 1, 0xD: 1, 0xE: 2}
"""Number of data bytes of a message of a channel, by the upper half of its status."""
SYSTEM_BYTES = {0xF1: 1, 0xF2: 2, 0xF3: 1}
"""Number of data bytes of other messages, by their status; 0 for the rest."""
MAX_NAME_BYTES = 200
"""Maximum number of bytes of the name of a track."""


class MidiNote(NamedTuple):
    """Note of a MIDI file."""

    start: int
    """Time in ticks."""
    end: int
    """Time in ticks."""
    pitch: int
    """MIDI number."""
    track: int
    """Number of the track, from 0."""


class _Event(NamedTuple):
    """Event of a track. The data of a meta event begins with its type."""

    time: int
    status: int
    data: bytes


class _Chunk(NamedTuple):
    """Part of a file, such as a track."""

    name: bytes
    content: bytes
    is_cut: bool


class MidiFile:
    """Notes, meters and keys of a MIDI file of type 0 or 1.

    >>> notes = bytes([0, 0x90, 60, 64, 96, 62, 64, 96, 0xFF, 0x2F, 0])
    >>> size = len(notes).to_bytes(4, "big")
    >>> head = b"MThd" + bytes([0, 0, 0, 6, 0, 0, 0, 1, 0, 96])
    >>> file = MidiFile(head + b"MTrk" + size + notes, "a.mid")
    >>> [(note.start, note.end, note.pitch) for note in file.notes], file.num_unended
    ([(0, 96, 60), (96, 192, 62)], 2)

    Args:
        content: Bytes of the file, perhaps within RIFF (.rmi).
        path: File, for error messages.

    Raises:
        InputError: If the file is damaged, or has no beats.
    """

    def __init__(self, content: bytes, path: object) -> None:
        self.path = path
        self.notes: list[MidiNote] = []
        """Notes in the order of their beginnings, without drums."""
        self.meters: list[tuple[int, int, int]] = []
        """Time in ticks, number of beats, and binary logarithm of the note value, of each meter."""
        self.keys: list[tuple[int, int, bool]] = []
        """Time in ticks, number of sharps (flats are negative), and whether the key is minor."""
        self.names: dict[int, str] = {}
        """Names of tracks."""
        self.left_out: Counter[str] = Counter()
        """Number of events that were left out, by kind."""
        self.num_unended = 0
        """Number of notes without an end. They last until the next note of their channel, or until
        the end of the track."""
        start = content.find(b"MThd") if content.startswith(b"RIFF") else 0
        head, *chunks = _split_chunks(content[max(start, 0) :]) or [_Chunk(b"", b"", False)]
        if head.name != b"MThd" or len(head.content) < 6:
            raise self._damage("it has no header MThd")
        self.ticks = self._check_head(*struct.unpack(">HHH", head.content[:6]))
        """Ticks per quarter."""
        tracks = [chunk for chunk in chunks if chunk.name == b"MTrk"]
        if not tracks:
            raise self._damage("it has no track")
        for number, track in enumerate(tracks):
            self._read_track(number, track)
        for events in (self.notes, self.meters, self.keys):
            events.sort()

    def _damage(self, reason: str) -> InputError:
        return InputError(f"{self.path} is damaged or is not MIDI: {reason}.")

    def _check_head(self, kind: int, num_tracks: int, division: int) -> int:
        """Return the number of ticks per quarter."""
        del num_tracks  # Files exist in which it is wrong.
        if kind > 1:
            raise InputError(
                f"{self.path} is a MIDI file of type {kind}, whose tracks are independent; save it "
                "as type 0 or 1."
            )
        if division >= 0x8000:
            raise InputError(
                f"{self.path} measures time in frames of film (SMPTE), without beats; save it with "
                "ticks per quarter."
            )
        if not division:
            raise self._damage("it has 0 ticks per quarter")
        return division

    def _read_track(self, number: int, track: _Chunk) -> None:
        sounding: dict[tuple[int, int], int] = {}
        starts: dict[int, list[int]] = {}
        time, is_ended = 0, False
        for time, status, data in self._iter_events(number, track.content):
            if status == META:
                is_ended = data[0] == END_OF_TRACK
                self._read_meta(number, time, data[0], data[1:])
            elif status >> 4 in (NOTE_OFF, NOTE_ON):
                channel, pitch = status & 0xF, data[0] & 0x7F
                start = sounding.pop((channel, pitch), None)
                if start is not None:
                    self._add_note(channel, MidiNote(start, time, pitch, number))
                if status >> 4 == NOTE_ON and data[1]:
                    sounding[channel, pitch] = time
                    starts.setdefault(channel, []).append(time)
        if track.is_cut and not is_ended:
            raise self._damage(f"track {number + 1} is cut off")
        for (channel, pitch), start in sounding.items():
            self.num_unended += channel != DRUM_CHANNEL
            following = bisect.bisect_right(starts[channel], start)
            end = starts[channel][following] if following < len(starts[channel]) else time
            self._add_note(channel, MidiNote(start, max(end, start + 1), pitch, number))

    def _add_note(self, channel: int, note: MidiNote) -> None:
        if channel == DRUM_CHANNEL:
            self.left_out["notes of drums (channel 10)"] += 1
        elif note.end > note.start:
            self.notes.append(note)
        else:
            self.left_out["notes without a length"] += 1

    def _read_meta(self, track: int, time: int, kind: int, data: bytes) -> None:
        if kind == TRACK_NAME:
            name = data[:MAX_NAME_BYTES].decode("utf-8", "replace")
            self.names.setdefault(track, " ".join(name.split()))
        elif kind == TIME_SIGNATURE:
            if len(data) >= 2 and data[0]:
                self.meters.append((time, data[0], data[1]))
            else:
                self.left_out["meters that do not exist"] += 1
        elif kind == KEY_SIGNATURE:
            fifths = struct.unpack("b", data[:1])[0] if len(data) >= 2 else 8
            if abs(fifths) <= 7 and data[1] < 2:
                self.keys.append((time, fifths, bool(data[1])))
            else:
                self.left_out["keys that do not exist"] += 1

    def _iter_events(self, number: int, content: bytes) -> Iterator[_Event]:
        """Yield the events of a track up to its end."""
        position = time = running = 0
        try:
            while position < len(content):
                delta, position = _read_number(content, position)
                time += delta
                status = content[position]
                if status >= 0x80:
                    position += 1
                elif running:
                    status = running
                else:
                    raise self._damage(f"track {number + 1} has a message without a status")
                # The status of a message of a channel may be left out in the next such message.
                running = status if status < 0xF0 else running
                start = position
                if status == META:
                    position += 1
                if status == META or status in SYSTEM:
                    size, end = _read_number(content, position)
                    data = content[start:position] + content[end : end + size]
                    position = end + size
                else:
                    position += SYSTEM_BYTES.get(status, DATA_BYTES.get(status >> 4, 0))
                    data = content[start:position]
                if position > len(content):
                    raise IndexError
                yield _Event(time, status, data)
                if status == META and data[0] == END_OF_TRACK:
                    return
        except IndexError:
            raise self._damage(f"track {number + 1} ends within an event") from None


def read_midi(path: Path) -> MidiFile:
    """Read a MIDI file.

    Args:
        path: File.

    Raises:
        InputError: If the file does not exist or is damaged.
        LimitError: If the file is too large.
    """
    return MidiFile(check_regular_file(path, "max_midi_bytes").read_bytes(), path)


def _split_chunks(content: bytes) -> list[_Chunk]:
    """Return the chunks of a file, of which only the last may be cut off."""
    chunks, position = [], 0
    while position + 8 <= len(content):
        name, size = struct.unpack(">4sI", content[position : position + 8])
        start, position = position + 8, position + 8 + size
        chunks.append(_Chunk(name, content[start:position], position > len(content)))
    return chunks


def _read_number(content: bytes, position: int) -> tuple[int, int]:
    """Return a number of up to four bytes, and the position after it."""
    number = 0
    for count in range(4):
        byte = content[position + count]
        number = number << 7 | byte & 0x7F
        if byte < 0x80:
            break
    return number, position + count + 1
