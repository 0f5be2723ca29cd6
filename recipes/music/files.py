"""Tunes as files: MIDI, ABC, a piano roll, and sound."""

import numpy as np

from . import tunes

RATE = 22_050
TEMPO, SLOW = 0.35, 0.8
"""Seconds a quarter, of one voice and of four."""
VIOLIN, CHOIR = 40, 52
"""Their instruments, in General MIDI."""


def write(tokens, path, title, book=""):
    """Writes path.abc, path.mid, path.png and path.wav.

    Args:
        tokens: A tune.
        path: Without suffix.
        title: Of the tune.
        book: The style, noted in the ABC file.
    """
    from scipy.io import wavfile

    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".abc").write_text(
        tunes.abc_of(tokens, title=title, book=book), encoding="utf-8"
    )
    _midi(tokens).write(str(path.with_suffix(".mid")))
    wavfile.write(path.with_suffix(".wav"), *sound(tokens))
    draw(tokens, title, path.with_suffix(".png"))


def _lines(tokens):
    """The notes of each voice by its name, without rests."""
    return {
        tunes.VOICES.get(voice, "melody"): [
            note for note in tunes.notes_of(line) if note.pitch is not None
        ]
        for voice, line in tunes.lines_of(tokens).items()
    }


def _midi(tokens):
    import pretty_midi

    lines = _lines(tokens)
    quarter, program = (TEMPO, VIOLIN) if len(lines) == 1 else (SLOW, CHOIR)
    midi = pretty_midi.PrettyMIDI(initial_tempo=60 / quarter)
    for voice, notes in lines.items():
        track = pretty_midi.Instrument(program, name=voice)
        for note in notes:
            begin, end = (float(at) * quarter for at in (note.begin, note.begin + note.length))
            pitch = int(np.clip(note.pitch, 0, 127))
            track.notes.append(pretty_midi.Note(90, pitch, begin, end))
        midi.instruments.append(track)
    return midi


def sound(tokens):
    """How a tune sounds, a silent second if it has no notes: samples a second, int16 samples."""

    def wave(phase):
        """A tone with overtones that get weaker."""
        return sum(np.sin(n * phase) / n**1.5 for n in range(1, 7))

    midi = _midi(tokens)
    silent = not any(track.notes for track in midi.instruments)
    waves = np.zeros(RATE) if silent else midi.synthesize(RATE, wave)
    return RATE, (waves / max(np.abs(waves).max(), 1e-9) * 30_000).astype("int16")


def draw(tokens, title, path):
    """Draws a tune as a piano roll.

    Args:
        tokens: The tune.
        title: To read above.
        path: PNG file, or one that is open.
    """
    from matplotlib.figure import Figure

    lines = _lines(tokens)
    figure = Figure(figsize=(12, 3.5), layout="constrained")
    axes = figure.subplots()
    for voice, notes in lines.items():
        axes.barh(
            [note.pitch for note in notes],
            [float(note.length) for note in notes],
            left=[float(note.begin) for note in notes],
            height=0.8,
            label=voice,
        )
    if len(lines) > 1:
        figure.legend(loc="outside right upper")
    bar, *_ = tunes.head(tokens)
    ends = [float(note.begin + note.length) for notes in lines.values() for note in notes]
    end = max(ends, default=1)
    axes.set(title=title, xlabel="quarters; ticks are bars", ylabel="MIDI pitch", xlim=(0, end))
    axes.set_xticks(np.arange(0, end + 1e-9, float(bar)))
    axes.tick_params(axis="x", labelsize=6)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
