"""Tunes as files: MIDI, ABC, a piano roll, and sound."""

import numpy as np

from . import tunes

RATE = 22_050
QUARTER = 0.35
"""Seconds."""
VIOLIN = 40
"""The instrument, in General MIDI."""


def write(tokens, path, title, book=""):
    """Writes path.abc, path.mid, path.png and path.wav.

    Args:
        tokens: A tune.
        path: Without suffix.
        title: Of the tune.
        book: The style, noted in the ABC file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".abc").write_text(
        tunes.abc_of(tokens, title=title, book=book), encoding="utf-8"
    )
    sounding = [note for note in tunes.notes_of(tokens) if note.pitch is not None]
    midi = _midi(sounding)
    midi.write(str(path.with_suffix(".mid")))
    _write_wav(midi, path.with_suffix(".wav"))
    _draw(sounding, tokens, title, path.with_suffix(".png"))


def _midi(notes):
    import pretty_midi

    midi = pretty_midi.PrettyMIDI(initial_tempo=60 / QUARTER)
    violin = pretty_midi.Instrument(VIOLIN)
    for note in notes:
        begin, end = (float(at) * QUARTER for at in (note.begin, note.begin + note.length))
        pitch = int(np.clip(note.pitch, 0, 127))
        violin.notes.append(pretty_midi.Note(90, pitch, begin, end))
    midi.instruments.append(violin)
    return midi


def _write_wav(midi, path):
    from scipy.io import wavfile

    def wave(phase):
        """A tone with overtones that get weaker."""
        return sum(np.sin(n * phase) / n**1.5 for n in range(1, 7))

    sound = midi.synthesize(RATE, wave)
    wavfile.write(path, RATE, (sound / max(np.abs(sound).max(), 1e-9) * 30_000).astype("int16"))


def _draw(notes, tokens, title, path):
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.barh(
        [note.pitch for note in notes],
        [float(note.length) for note in notes],
        left=[float(note.begin) for note in notes],
        height=0.8,
    )
    bar, *_ = tunes.head(tokens)
    end = max((float(note.begin + note.length) for note in notes), default=0)
    axes.set(title=title, xlabel="quarters; ticks are bars", ylabel="MIDI pitch", xlim=(0, end))
    axes.set_xticks(np.arange(0, end + 1e-9, float(bar)))
    axes.tick_params(axis="x", labelsize=6)
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
