"""Recipe `speech`: synthesis, recordings, mocked TFDS datasets, training and metrics."""

import dataclasses
import json
import re

import numpy as np
import pytest
import soundfile
from keras_seq_recipes.speech import data, metric, model, synthesis
from keras_seq_recipes.speech.alignment import check_alignments
from keras_seq_recipes.speech.config import Config

from keras_seq import cli
from keras_seq._internal.errors import InputError
from keras_seq.batching import RawExamples
from keras_seq.data import audio, collect_summaries
from keras_seq.data.datasets import espeak
from keras_seq.layers.audio.noise import colored_noise
from keras_seq.train import registry

SMALL = ["--units", "4", "--num-layers", "1", "--steps", "2", "--batch-size", "8"]
RATE = 8_000
COUNTS = {"train": 12, "validation": 4, "test": 6}


def run(*arguments):
    return cli.main(list(map(str, arguments)))


@pytest.fixture(scope="module")
def spoken():
    """Return utterances without those of Hibari, which must be downloaded."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(synthesis, "HIBARI_PART", 1_000)
        return list(synthesis.synthesize_utterances(RATE, COUNTS))


@pytest.mark.slow
def test_synthesis_is_deterministic(spoken, monkeypatch):
    monkeypatch.setattr(synthesis, "HIBARI_PART", 1_000)
    again = synthesis.synthesize_utterances(RATE, COUNTS)
    for (*ours, sound), (*theirs, other) in zip(spoken, again, strict=True):
        assert ours == theirs
        np.testing.assert_array_equal(sound, other)
    assert len({sound.tobytes() for *_, sound in spoken}) == sum(COUNTS.values())


@pytest.mark.slow
def test_no_voice_is_in_two_splits(spoken):
    words = {*synthesis.DIGITS, *synthesis.COMMANDS}
    accents, variants, own = {}, {}, []
    for split, text, voice, sound in spoken:
        assert set(text.split()) <= words and 1 <= len(text.split()) <= 5
        assert sound.dtype == np.int16 and 0.4 * RATE < len(sound) < 6 * RATE
        accent, *variant = voice.split("+")
        accents.setdefault(split, set()).add(accent)
        variants.setdefault(split, set()).update(variant)
        own += [] if variant else [split]
    assert {split: [s for s, *_ in spoken].count(split) for split in COUNTS} == COUNTS
    assert own == ["train"] * 6  # random variants
    for parts in (accents, variants, synthesis.ACCENTS, synthesis.VARIANTS):
        parts = [set(part) for part in parts.values()]
        assert len(set.union(*parts)) == sum(map(len, parts))
    known = set(espeak.list_variants())
    assert {*synthesis.NON_HUMAN_VARIANTS, *sum(synthesis.VARIANTS.values(), ())} <= known


@pytest.mark.slow
def test_unknown_voice():
    with pytest.raises(InputError, match=r"there is no voice 'xx\+f9'"):
        list(espeak.synthesize([espeak.Utterance("one", "xx+f9")]))


@pytest.mark.slow
def test_pitch_of_a_custom_variant():
    """The variant is read again for each utterance, between voices of eSpeak."""

    def pitch(rate, samples):
        """Return the pitch in Hz, at the maximum of the autocorrelation."""
        spectrum = np.fft.rfft(samples, 2 * len(samples))
        autocorrelation = np.fft.irfft(np.abs(spectrum) ** 2)
        lags = np.arange(rate // 400, rate // 60)
        return rate / lags[autocorrelation[lags].argmax()]

    low, high = (f"pitch {hz} {hz}" for hz in (80, 240))
    said = [espeak.Utterance("no", "en-us", variant=text) for text in (low, high, low, "")]
    first, second, third, known = (pitch(*speech) for speech in espeak.synthesize(said))
    assert first == pytest.approx(third, rel=0.05) and second == pytest.approx(3 * first, rel=0.2)
    assert 1.2 * first < known < second


def test_noise_at_a_signal_to_noise_ratio_of_ten_decibels():
    random = np.random.default_rng(0)
    said = np.concatenate([np.zeros(5000), random.normal(0, 0.2, 5000)])
    # Fraction of power in the lowest tenth of the frequencies: 1/10, ln 500 / ln 5000, nearly 1.
    for colour, low_part in ((0, 0.1), (1, 0.73), (2, 1.0)):
        noise = colored_noise(10_000, colour, random)
        added = audio.mix_at_snr(said, noise, 10) - said
        # Silence does not count for the power of the speech.
        assert np.mean(added**2) == pytest.approx(np.mean(said[5000:] ** 2) / 10, rel=0.02)
        power = np.abs(np.fft.rfft(noise)) ** 2
        assert power[:500].sum() / power.sum() == pytest.approx(low_part, abs=0.15)


def test_reverberation_decays_by_sixty_decibels():
    click = np.zeros(4000)
    click[100] = 1.0
    heard = audio.add_reverb(click, RATE, 0.4, 5.0, np.random.default_rng(0))
    assert (np.abs(heard[:100]) < 1e-9).all() and heard[100] == pytest.approx(1.0)
    echo = heard[101:] ** 2
    assert echo.sum() == pytest.approx(10**-0.5, rel=0.02)
    # It is 30 dB weaker after 0.2 s.
    assert np.log10(echo[:200].mean() / echo[1500:1700].mean()) == pytest.approx(3, abs=0.4)


# Own recordings.


def tone(seconds, rate, frequency=440):
    return 0.5 * np.sin(2 * np.pi * frequency * np.arange(int(seconds * rate)) / rate)


def folder_of_recordings(folder, count=30):
    """Write WAV and FLAC files, some in stereo or at another rate, and a table."""
    (folder / "sound").mkdir(parents=True)
    rows = ["file,text"]
    for number in range(count):
        sound, rate = tone(0.5 + number / 100, 22_050 if number % 2 else RATE), RATE
        name = f"sound/{number}.wav"
        if number % 2:
            name, rate = f"sound/{number}.flac", 22_050
        stereo = number % 3 == 0
        soundfile.write(folder / name, np.stack([sound, 0 * sound], 1) if stereo else sound, rate)
        rows.append(f"{name},{'' if number == 4 else f'Tone  {chr(97 + number % 5)}'}")
    (folder / "said.csv").write_text("\n".join(rows) + "\n")
    return folder


@pytest.mark.slow
def test_recordings_that_are_too_short_for_their_transcripts(workplace, capsys):
    folder = folder_of_recordings(workplace / "mine")
    lines = (folder / "said.csv").read_text().splitlines()
    for number in range(5, 16):
        lines[number] = lines[number].partition(",")[0] + "," + "long " * 8
    (folder / "said.csv").write_text("\n".join(lines))
    recipe, config = (
        registry.find("speech").import_recipe(),
        Config(data=str(folder), sample_rate=RATE),
    )
    with pytest.raises(InputError) as error:
        recipe.load_splits(config)
    message = str(error.value)
    assert re.match(
        r".*mine/sound/\d+\.(wav|flac) \(.*said\.csv, line \d+\): the transcript 'long", message
    )
    assert "needs 39 time steps, but its recording of 0." in message and "--frame-stack" in message
    assert recipe.load_splits(dataclasses.replace(config, frame_stack=1))
    splits = recipe.load_splits(dataclasses.replace(config, errors="skip"))
    assert not any(text.startswith("long long") for text in splits["train"].targets)
    assert "bad rows of" in capsys.readouterr().err


def test_alignments_have_the_time_steps_of_the_model():
    config = Config(data="mine", sample_rate=RATE)
    recognizer = model.build(config, RawExamples([tone(0.5, RATE)], ["ab"]))
    for num_samples, text in (
        (1, "a"),
        (1, "ab"),
        (480, "aa"),
        (481, "aa"),
        (720, "aab"),
        (721, "aab"),
    ):
        examples = RawExamples([np.zeros(num_samples, "int16")], [text])
        try:
            check_alignments(config, {"train": examples})
            fits = True
        except InputError as error:
            assert str(error).startswith("mine, training example 1: the transcript")
            fits = False
        try:
            recognizer.encode(examples.inputs, [text])
            assert fits
        except InputError:
            assert not fits
    unknown = {"test": RawExamples([np.zeros(1, "int16")], ["abc"])}
    assert check_alignments(config, unknown) is unknown


def test_recordings_are_mixed_down_and_resampled(workplace):
    folder = folder_of_recordings(workplace / "mine")
    table = folder / "said.csv"
    table.write_text(table.read_text().replace(",", "^"))
    splits = data.load(Config(data=str(folder), sample_rate=RATE, delimiter="^"))
    by_length = {
        len(samples): (samples, text)
        for split in splits.values()
        for samples, text in zip(split.inputs, split.targets)
    }
    assert len(by_length) == 30 and set(splits) == {"train", "validation", "test"}
    for number in range(30):
        seconds = 0.5 + number / 100
        close = [n for n in by_length if abs(n - seconds * RATE) <= 1]
        samples, text = by_length[close[0]]
        assert text == ("" if number == 4 else f"tone {chr(97 + number % 5)}")
        wanted = tone(seconds, RATE)[500:3500] * (0.5 if number % 3 == 0 else 1)
        np.testing.assert_allclose(samples[500:3500] / 2**15, wanted, atol=2e-3)


@pytest.mark.slow
def test_own_recordings_end_to_end(workplace, capsys):
    folder = folder_of_recordings(workplace / "mine")
    options = ["--data", folder, "--sample-rate", RATE, "--no-bidirectional", *SMALL]
    assert run("train", "speech", *options) == 0, capsys.readouterr()
    ran = workplace / "runs/speech/default"
    metrics = json.loads((ran / "metrics.json").read_text())
    assert {"wer", "cer"} == set(metrics["test"])
    assert set(metrics["report"]["beam"]) == {"5", "25"}
    assert metrics["report"]["real_time_factor"] > 0
    assert (ran / "transcription_0.png").stat().st_size > 5_000
    assert (ran / "mistakes.tsv").read_text().startswith("transcript\treference\n")
    capsys.readouterr()
    files = folder / "sound/1.flac", folder / "sound/3.flac"
    assert run("predict", ran, *files, "--beam-width", 4, "--picture", "plots") == 0
    assert capsys.readouterr().out.count("plots/") == 2
    assert next((workplace / "plots").glob("1_*.png")).stat().st_size > 5_000
    assert run("predict", ran, files[0], "--chunk-seconds", 0.2) == 0
    assert "0.51" in capsys.readouterr().out
    assert run("trace", ran, files[0]) == 0
    assert "0.03 s" in next(ran.glob("trace_*.html")).read_text()
    (workplace / "no.wav").write_bytes(b"")
    assert run("predict", ran, files[0], "no.wav") == 2
    assert "no.wav is empty" in capsys.readouterr().err


def test_builtin_at_another_rate(workplace, monkeypatch, spoken):
    monkeypatch.setattr(data, "synthesize_utterances", lambda rate: spoken if rate == RATE else [])
    splits = data.load(Config(sample_rate=RATE))
    pairs = {
        (split, text, sound.tobytes())
        for split, examples in splits.items()
        for sound, text in zip(examples.inputs, examples.targets)
    }
    assert pairs == {(split, text, sound.tobytes()) for split, text, _, sound in spoken}


def wav(sound, rate=RATE, container="WAV"):
    import io

    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=container)
    return file.getvalue()


GOOD = wav(tone(0.5, RATE))
FLAC = wav(tone(0.5, RATE), container="FLAC")
TABLE = "file,text\na.wav,one\n"
MISTAKES = {
    "nothing there": ({}, "There is no file or folder mine"),
    "no table": ({"a.wav": GOOD}, "mine has no transcripts: add a table"),
    "no audio": (
        {"t.csv": TABLE},
        "left out 1 transcripts without a recording, such as mine/t.csv, line 2: mine/a.wav",
    ),
    "no such column": ({"t.csv": "name,text\na.wav,x\n"}, "no column 'file'; there are name, text"),
    "an empty file": ({"t.csv": TABLE, "a.wav": b""}, "a.wav is empty (0 bytes)"),
    "no sample": ({"t.csv": TABLE, "a.wav": wav(np.zeros(0))}, "a.wav contains no audio samples"),
    "cut off": ({"t.csv": TABLE, "a.wav": FLAC[:-999]}, "a.wav is damaged or is not an audio file"),
    "no sound": (
        {"t.csv": TABLE, "a.wav": b"hello" * 99},
        "a.wav is damaged or is not a",
    ),
    "a strange letter": (
        {"t.csv": "file,text\na.wav,one é\n", "a.wav": GOOD},
        "t.csv, line 2: 'é' at position 5 of the text is not in the alphabet",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_invalid_folders(workplace, mistake, capsys):
    files, message = MISTAKES[mistake]
    for name, content in files.items():
        (workplace / "mine").mkdir(exist_ok=True)
        content = content.encode("utf-8") if isinstance(content, str) else content
        (workplace / "mine" / name).write_bytes(content)
    assert run("train", "speech", "--data", "mine", "--alphabet", "eno ", *SMALL) == 2
    assert message in capsys.readouterr().err
    assert not (workplace / "runs").exists()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, "it’s 3.5, naïve — well-known cafe\u0301!"),
        ({"lowercase": False}, "It’s 3.5, naïve — Well-known cafe\u0301!"),
        ({"remove_punctuation": True}, "it's 3.5 naïve well known cafe\u0301"),
        ({"unicode_form": "NFC"}, "it’s 3.5, naïve — well-known café!"),
    ],
)
def test_normalization_of_transcripts(options, expected):
    text = " It’s  3.5,\tnaïve — Well-known cafe\u0301! "
    assert data.normalize_text(text, Config(**options)) == expected


def test_a_recording_alone_has_no_transcript(workplace):
    (workplace / "a.wav").write_bytes(GOOD)
    with pytest.raises(
        InputError, match=r"a\.wav is a recording without a transcript; give a table"
    ):
        data.load(Config(data="a.wav"))


def test_characters_that_are_not_trained_are_said(workplace):
    folder = folder_of_recordings(workplace / "mine")
    rows = (folder / "said.csv").read_text().splitlines()[1:]
    (folder / "said.csv").unlink()
    for name, part, letter in (("train", rows[:20], ""), ("test", rows[20:], "ß")):
        table = ["file,text", *(f"{row}{letter}" for row in part)]
        (folder / f"{name}.csv").write_text("\n".join(table) + "\n", "utf-8")
    with collect_summaries() as summaries:
        splits = data.load(Config(data=str(folder), sample_rate=RATE))
    assert len(splits["test"].inputs) == 10
    assert [summary.num_rows for summary in summaries[:2]] == [10, 20]
    assert "recordings of a table" in str(summaries[2]) and "30 rows" in str(summaries[2])
    assert "22,050 Hz (15 files)" in str(summaries[2])
    assert "10 rows; characters without training, with their counts: 'ß' 10" in str(summaries[3])


# TFDS datasets.


def read_mocked_rows(builder, split=None, **_):
    import tensorflow as tf

    sound = "speech" if builder.name == "librispeech" else "audio"
    rows = [{sound: (tone(0.4, 16_000) * 2**15).astype("int64")[: 6400 - n]} for n in range(30)]
    for number, row in enumerate(rows):
        if builder.name == "librispeech":
            row["text"] = f"MISTER {number}"
        else:
            row["label"] = number % len(builder.info.features["label"].names)
    text = {key: tf.string if key == "text" else tf.int64 for key in rows[0] if key != sound}
    return tf.data.Dataset.from_generator(
        lambda: rows,
        output_signature={
            sound: tf.TensorSpec([None], tf.int64),
            **{key: tf.TensorSpec([], dtype) for key, dtype in text.items()},
        },
    )


@pytest.mark.parametrize(
    ("name", "texts", "factor"),
    [
        # Silence has an empty transcript; recordings without a transcript are left out.
        ("speech_commands", {"", "down", "go", "left", "no", "off", "on", "right", "stop"}, 0.5),
        ("librispeech", {"mister 0", "mister 29"}, 0.5),
        ("spoken_digit", set(synthesis.DIGITS), 1),
    ],
)
def test_mocked_tfds_datasets(workplace, mock_public, name, texts, factor):
    with mock_public(as_dataset_fn=read_mocked_rows):
        splits = data.load(Config(data=f"tfds:{name}", sample_rate=RATE))
    assert set(splits) == {"train", "validation", "test"}
    for examples in splits.values():
        assert texts <= set(examples.targets) and "_unknown_" not in examples.targets
        assert examples.inputs[0].dtype == np.int16
        assert len(examples.inputs[0]) == 6400 * factor


def test_max_hours(workplace, mock_public):
    with mock_public(as_dataset_fn=read_mocked_rows):
        splits = data.load(Config(data="tfds:librispeech", sample_rate=RATE, max_hours=4 / 3600))
    assert 10 <= len(splits["train"].inputs) <= 12


def test_error_rates():
    rates = metric.error_rates(["one two", "", "go"], ["one too two", "", "no"])
    assert rates["wer"] == pytest.approx(2 / 3)
    assert rates["cer"] == pytest.approx((4 + 1) / 9)


class FakeRecognizer:
    """Recognizer of recordings whose number of samples is the index of the transcript.

    It recognizes nothing after a telephone line, which removes the constant signal.
    """

    sample_rate = RATE

    def __init__(self, transcripts):
        self.transcripts = transcripts

    def transcribe(self, recordings):
        return [self.transcripts[len(r)] if np.abs(r).mean() > 99 else "" for r in recordings]

    log_probs = transcribe

    def decode(self, log_probs, *_, **__):
        return log_probs


def test_error_rates_of_a_new_voice(tmp_path, monkeypatch):
    monkeypatch.setattr(metric, "NUM_PLOTS", 0)
    texts = ["one", "two", "one two", "three four five six"]
    recordings = [np.full(800 + number, 2_000, "int16") for number in range(4)]
    fake = FakeRecognizer({800: "one", 801: "too", 802: "one two", 803: "three four"})
    examples = RawExamples(recordings, texts)
    report = metric.report(fake, {"test": examples, "new_voice": examples}, "test", tmp_path)
    assert report["new_voice"] == {
        "clean": {"isolated": 1 / 2, "strings": 2 / 6},
        "telephone": {"isolated": 1.0, "strings": 1.0},
    }
    assert "new_voice" not in metric.report(fake, {"test": examples}, "test", tmp_path)
