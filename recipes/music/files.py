"""Tunes as files: MIDI, ABC, a piano roll, and audio."""

from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from . import notation, tunes

if TYPE_CHECKING:
    import pretty_midi

SAMPLE_RATE = 22_050
QUARTER_SECONDS, CHORALE_QUARTER_SECONDS = 0.35, 0.8
"""Seconds per quarter of a melody and of four voices."""
VIOLIN, CHOIR = 40, 52
"""General MIDI programs of a melody and of four voices."""


def write_tune(tokens: tunes.Tokens, path: Path, title: str, book: str = "") -> None:
    """Write a tune as `path.abc`, `path.mid`, `path.png` and `path.wav`.

    Args:
        tokens: Tune.
        path: Path without suffix.
        title: Title.
        book: Book of the tune (field B of ABC), which is its style; empty for none.
    """
    from scipy.io import wavfile

    path.parent.mkdir(parents=True, exist_ok=True)
    abc = notation.tokens_to_abc(tokens, title=title, book=book)
    path.with_suffix(".abc").write_text(abc, encoding="utf-8")
    _to_midi(tokens).write(str(path.with_suffix(".mid")))
    wavfile.write(path.with_suffix(".wav"), *synthesize(tokens))
    draw_piano_roll(tokens, title, path.with_suffix(".png"))


def _notes_by_voice(tokens: tunes.Tokens) -> dict[str, list[tunes.Note]]:
    """Return the notes of each voice by its name, without rests."""
    return {
        tunes.VOICES.get(voice, "melody"): [
            note for note in tunes.parse_notes(line) if note.pitch is not None
        ]
        for voice, line in tunes.split_voices(tokens).items()
    }


def _to_midi(tokens: tunes.Tokens) -> "pretty_midi.PrettyMIDI":
    import pretty_midi

    voices = _notes_by_voice(tokens)
    quarter, program = QUARTER_SECONDS, VIOLIN
    if len(voices) > 1:
        quarter, program = CHORALE_QUARTER_SECONDS, CHOIR
    midi = pretty_midi.PrettyMIDI(initial_tempo=60 / quarter)
    for voice, notes in voices.items():
        track = pretty_midi.Instrument(program, name=voice)
        for note in notes:
            start, end = (float(t) * quarter for t in (note.start, note.start + note.length))
            pitch = int(np.clip(note.pitch or 0, 0, 127))
            track.notes.append(pretty_midi.Note(90, pitch, start, end))
        midi.instruments.append(track)
    return midi


def synthesize(tokens: tunes.Tokens) -> tuple[int, np.ndarray]:
    """Return sampling rate in Hz and samples `(samples,)`, int16, of a tune.

    A tune without notes is one second of silence.
    """

    def waveform(phase: np.ndarray) -> np.ndarray:
        """Return a tone with overtones that get weaker."""
        return sum((np.sin(n * phase) / n**1.5 for n in range(1, 7)), np.zeros_like(phase))

    midi = _to_midi(tokens)
    is_silent = not any(track.notes for track in midi.instruments)
    samples = np.zeros(SAMPLE_RATE) if is_silent else midi.synthesize(SAMPLE_RATE, waveform)
    return SAMPLE_RATE, (samples / max(np.abs(samples).max(), 1e-9) * 30_000).astype("int16")


def draw_piano_roll(tokens: tunes.Tokens, title: str, path: Path | IO[bytes]) -> None:
    """Draw a tune as a piano roll.

    Args:
        tokens: Tune.
        title: Title of the figure.
        path: PNG file, as a path or open for writing.
    """
    from matplotlib.figure import Figure

    voices = _notes_by_voice(tokens)
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    axes = figure.subplots()
    for voice, notes in voices.items():
        axes.barh(
            [note.pitch or 0 for note in notes],
            [float(note.length) for note in notes],
            left=[float(note.start) for note in notes],
            height=0.8,
            label=voice,
        )
    if len(voices) > 1:
        figure.legend(loc="outside right upper")
    bar_length = tunes.parse_head(tokens).bar_length
    ends = [float(note.start + note.length) for notes in voices.values() for note in notes]
    end = max(ends, default=1)
    axes.set(title=title, xlabel="quarters; ticks are bars", ylabel="MIDI pitch", xlim=(0, end))
    axes.set_xticks(np.arange(0, end + 1e-9, float(bar_length)))
    axes.tick_params(axis="x", labelsize=6)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
