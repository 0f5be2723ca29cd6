"""Tests of the formats of speech corpora."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_seq import data
from keras_seq._internal.errors import InputError
from keras_seq.data import row_errors

RATE = 8_000


def sound(number=0, seconds=0.1, channels=1, data_size=None):
    """Return a WAV file whose samples are all the number."""
    content = np.full(round(seconds * RATE) * channels, number, "<i2").tobytes()
    size = len(content) if data_size is None else data_size
    sample_format = struct.pack("<HHIIHH", 1, channels, RATE, 2 * RATE * channels, 2 * channels, 16)
    head = b"fmt " + struct.pack("<I", 16) + sample_format + b"data" + struct.pack("<I", size)
    return b"RIFF" + struct.pack("<I", len(head) + 4 + size) + b"WAVE" + head + content


def write(folder, files):
    """Write texts, and WAV files with a number as their samples."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, int):
            content = sound(content)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def read(path, **options):
    """Return (number, text, split) of all utterances, and the summary of the corpus."""
    with data.collect_summaries() as summaries:
        corpus = data.open_speech_corpus(path, data.CorpusOptions(**options))
        rows = [
            (int(samples[0]), utterance.transcript.text, utterance.transcript.split)
            for utterance, samples in corpus.read(RATE)
        ]
    return rows, summaries[-1]


LJSPEECH = {
    "metadata.csv": 'a|Nr. 5 "x|number five "x\nb|"Good|"Good\nc|gone|gone\n',
    "wavs/a.wav": 1,
    "wavs/b.wav": 2,
    "wavs/d.wav": 3,
    "README": "",
}


def test_ljspeech(tmp_path):
    write(tmp_path, LJSPEECH)
    expected = [(1, 'number five "x', None), (2, '"Good', None)]
    for path in (tmp_path, tmp_path / "metadata.csv"):
        rows, summary = read(path)
        assert rows == expected
        assert summary.format == "LJSpeech" and summary.columns == {"file": "1", "text": "3"}
        assert summary.left_out == {
            "transcripts without a recording": 1,
            "recordings without a transcript": 1,
        }
        assert "metadata.csv, line 3: c" in str(summary) and "wavs/d.wav" in str(summary)
        assert "0.0 minutes at 8,000 Hz (2 files)" in str(summary)


def test_librispeech(tmp_path):
    files = {}
    for number, part in enumerate(("train-clean-100", "dev-other", "test-clean"), 1):
        files[f"{part}/1/2/1-2.trans.txt"] = f"1-2-0000 GOOD  DAY\n1-2-000{number} HELLO\n"
        files |= {f"{part}/1/2/1-2-0000.wav": number, f"{part}/1/2/1-2-000{number}.wav": 9}
    write(tmp_path, files | {"SPEAKERS.TXT": "1 | F"})
    rows, summary = read(tmp_path)
    splits = ("validation", "test", "train")
    assert rows[::2] == [(n, "GOOD DAY", s) for n, s in zip((2, 3, 1), splits)]
    assert summary.format == "LibriSpeech" and summary.num_rows == 6 and not summary.left_out
    # One part alone has no split.
    assert {split for *_, split in read(tmp_path / "dev-other")[0]} == {None}
    assert len(read(tmp_path / "dev-other/1/2/1-2.trans.txt")[0]) == 2


def test_common_voice(tmp_path):
    head = "client_id\tpath\tsentence\tup_votes\n"
    files = {
        "clips/a.wav": 1,
        "clips/b.wav": 2,
        "validated.tsv": head + 's1\ta.wav\tThe "quoted\t2\ns2\tb.wav\tBye.\t3\n',
        "invalidated.tsv": head + "s1\ta.wav\tWrong\t2\n",
        "clip_durations.tsv": "clip\tduration[ms]\na.wav\t100\n",
    }
    rows, _ = read(write(tmp_path / "one", files))
    assert rows == [(1, 'The "quoted', None), (2, "Bye.", None)]
    files["train.tsv"] = head + "s1\ta.wav\tThe\t2\n"
    files["dev.tsv"] = head + "s1\tb.wav\tBye\t2\n"
    with data.collect_summaries() as summaries:
        corpus = data.open_speech_corpus(write(tmp_path / "two", files), data.CorpusOptions())
        rows = [(u.transcript.text, u.transcript.split) for u, _ in corpus.read(RATE)]
    assert rows == [("Bye", "validation"), ("The", "train")]
    assert [summary.columns for summary in summaries[:2]] == [
        {"file": "path", "text": "sentence"}
    ] * 2


STM = """;; a comment
talk 1 spk 0.0 0.1 <o,f0,male> good day
talk 1 spk 0.10 0.25 <unk> fine
talk 1 inter_segment_gap 0.25 0.3 <o,,unknown> ignore_time_segment_in_scoring
gone A spk 0 1 text
"""


def long_sound(channels=1):
    """Return 0.3 s of samples that are 1, 2 and 3 for 0.1 s each."""
    samples = np.repeat(np.arange(1, 4, dtype="<i2"), RATE // 10)
    if channels == 2:
        samples = np.stack([samples, 0 * samples], 1)
    content = sound(0, 0.3, channels)
    return content[:44] + samples.tobytes()


@pytest.mark.parametrize("folder", ["stm/", ""])
def test_stm(tmp_path, folder):
    files = {f"train/{folder}talk.stm": STM, "train/sph/talk.wav": long_sound(), "x.wav": 1}
    rows, summary = read(write(tmp_path, files))
    assert rows == [(1, "good day", "train"), (2, "<unk> fine", "train")]
    assert summary.format == "STM" and summary.num_rows == 2
    assert summary.left_out == {
        "segments with ignore_time_segment_in_scoring": 1,
        "transcripts without a recording": 1,
        "recordings without a transcript": 1,
    }


def test_one_stm_file_and_its_channels(tmp_path):
    text = "talk B spk 0 0.1 right\ntalk A spk 0.2 0.5 left\n"
    write(tmp_path, {"stm/talk.stm": text, "sph/talk.wav": long_sound(2)})
    rows, summary = read(tmp_path / "stm/talk.stm")
    assert rows == [(0, "right", None), (3, "left", None)]
    assert "segments cut at the end of their recording: 1" in str(summary)


KALDI = {
    "wav.scp": "b  sounds/b.wav\na\tsounds/a.wav\nc sounds/c.wav\n",
    "text": "a good day\nb bye\nd nothing\n",
    "sounds/a.wav": 1,
    "sounds/b.wav": 2,
    "sounds/c.wav": 3,
}


def test_kaldi(tmp_path):
    for path in (write(tmp_path, KALDI), tmp_path / "wav.scp"):
        rows, summary = read(path)
        assert rows == [(1, "good day", None), (2, "bye", None)]
        assert summary.left_out == {
            "transcripts without a recording": 1,
            "recordings without a transcript": 1,
        }
    for split in ("train", "test_clean", "dev"):
        write(tmp_path / "data" / split, KALDI)
    rows, _ = read(tmp_path / "data")
    assert {split for *_, split in rows} == {"train", "validation", "test"} and len(rows) == 6


def test_kaldi_segments_decode_a_recording_once(tmp_path, monkeypatch):
    from keras_seq.data import utterances

    files = {
        "wav.scp": "r1 a.wav\nr2 b.wav\n",
        "segments": "u1 r1 0 0.1\nu2 r2 0.0 -1\nu3 r1 0.2 0.3\nu4 r1 0 0.1\n",
        "text": "u3 three\nu2 all\nu1 one\n",
        "a.wav": long_sound(),
        "b.wav": 7,
    }
    calls = []
    decode = utterances.decode_audio
    monkeypatch.setattr(
        utterances, "decode_audio", lambda *args: calls.append(args) or decode(*args)
    )
    rows, summary = read(write(tmp_path, files))
    assert rows == [(1, "one", None), (3, "three", None), (7, "all", None)]
    assert len(calls) == 2
    assert summary.left_out == {"recordings without a transcript": 1}


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("touch pwned |", "wav.scp, line 1: 'touch pwned |' is a command, and commands are never"),
        ("| touch pwned", "is a command"),
        ("foo.ark:1234", "'foo.ark:1234' is not an audio file; archives and streams are not read"),
        ("-", "'-' is not an audio file"),
        ("../a.wav", r"'\.\./a\.wav' is outside of the folder"),
        ("/etc/passwd", "'/etc/passwd' is outside of the folder"),
        ("a" * 5_000, "wav.scp, line 1: .* cannot be read: File name too long"),
    ],
)
def test_entries_of_kaldi_that_are_not_read(tmp_path, monkeypatch, entry, message):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "mine", KALDI | {"wav.scp": f"a {entry}\nb sounds/b.wav\n"})
    with pytest.raises(InputError, match=message):
        read(tmp_path / "mine")
    with row_errors.policy("skip"):
        rows, summary = read(tmp_path / "mine")
    assert rows == [(2, "bye", None)] and summary.left_out["bad rows"] == 1
    assert not [*tmp_path.rglob("pwned")]


def test_texts_next_to_sounds(tmp_path):
    files = {
        "train/a.wav": 1,
        "train/a.txt": "Good\nday \n",
        "train/b.wav": 2,
        "train/b.normalized.txt": "five",
        "train/b.txt": "5",
        "train/c.wav": 3,
        "test/d.wav": 4,
        "test/d.lab": "",
        "test/e.txt": "gone",
        "._a.wav": 5,
    }
    rows, summary = read(write(tmp_path, files))
    assert rows == [(4, "", "test"), (1, "Good day", "train"), (2, "five", "train")]
    assert summary.left_out == {
        "transcripts without a recording": 1,
        "recordings without a transcript": 1,
    }


def test_nemo_manifest(tmp_path):
    rows = [
        {"audio_filepath": "a.wav", "text": "three", "offset": 0.2, "duration": 0.1},
        {"audio_filepath": str(tmp_path / "b.wav"), "text": "", "offset": 0, "duration": 0.1},
        {"audio_filepath": "a.wav", "text": "one", "offset": 0, "duration": 0.1},
    ]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    write(tmp_path, {"train_manifest.json": text, "a.wav": long_sound(), "b.wav": 7})
    # Absolute paths may name files of the folder.
    assert read(tmp_path)[0] == [(1, "one", "train"), (3, "three", "train"), (7, "", "train")]
    assert {split for *_, split in read(tmp_path / "train_manifest.json")[0]} == {None}


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "wav_filename,wav_filesize,transcript\na.wav,100,good day\n"),
        ("a.csv", "id;file_name;transcription\n1;a.wav;good day\n"),
        ("a.tsv", "file\ttext\na.wav\tgood day\n"),
        ("a.jsonl", '{"audio": "a.wav", "text": "good day"}\n'),
        ("metadata.csv", "path|sentence\na.wav|good day\n"),
    ],
)
def test_tables_with_common_names_of_columns(tmp_path, name, text):
    rows, _ = read(write(tmp_path, {name: text, "a.wav": 1}))
    assert rows == [(1, "good day", None)]
    with data.collect_summaries() as summaries:
        [*data.open_speech_corpus(tmp_path, data.CorpusOptions()).read(RATE)]
    assert set(summaries[0].columns) == {"file", "text"}


def test_the_folder_of_audio_files(tmp_path):
    files = {"tables/t.csv": "file,text\n../audio/a.wav,good\n", "audio/a.wav": 1}
    write(tmp_path, files)
    with pytest.raises(InputError, match=r"t\.csv, line 2: '\.\./audio/a\.wav' is outside .* by "):
        read(tmp_path / "tables/t.csv")
    write(tmp_path, {"tables/t.csv": f"file,text\na.wav,good\n{tmp_path}/audio/a.wav,day\n"})
    rows, _ = read(tmp_path / "tables", audio_folder=str(tmp_path / "audio"))
    assert rows == [(1, "good", None), (1, "day", None)]
    write(tmp_path, {"tables/t.csv": "file,text\nclips/../../audio/a.wav,good\n"})
    with pytest.raises(InputError, match="is outside of the folder"):
        read(tmp_path / "tables/t.csv")


def test_bad_recordings_are_left_out(tmp_path):
    files = {f"{n}.wav": n for n in range(5)} | {"3.wav": b"hello" * 9, "4.wav": b""}
    text = "file,text\n" + "".join(f"{n}.wav,t{n}\n" for n in range(5))
    write(tmp_path, files | {"t.csv": text})
    with pytest.raises(InputError, match=r"3\.wav is damaged"):
        read(tmp_path)
    with row_errors.policy("skip"):
        rows, summary = read(tmp_path)
    assert rows == [(n, f"t{n}", None) for n in range(3)]
    assert summary.num_rows == 3 and summary.left_out == {"bad rows": 2}
    assert "3.wav is damaged" in str(summary) and "4.wav is empty" in str(summary)


@pytest.mark.parametrize("suffix", [".stm", ".trans.txt"])
def test_one_bad_list_of_several(tmp_path, suffix):
    line = "{} 1 spk 0 0.1 text\n" if suffix == ".stm" else "{} text\n"
    files = {f"{name}.wav": 1 for name in "ab"}
    files |= {f"{name}{suffix}": line.format(name) for name in "ab"} | {f"c{suffix}": b"\xff"}
    write(tmp_path, files)
    with pytest.raises(InputError, match=rf"c{suffix}, line 1: byte 1 is not utf-8"):
        read(tmp_path)
    with row_errors.policy("skip"):
        rows, summary = read(tmp_path)
        assert len(rows) == 2 and summary.left_out == {"bad rows": 1}
        # The rest of the only list is not left out.
        with pytest.raises(InputError, match="is not utf-8"):
            read(tmp_path / f"c{suffix}")


def test_segments_outside_of_their_recording(tmp_path):
    text = "talk 1 spk 0.5 0.6 late\ntalk 1 spk 0 0.1 good\n"
    write(tmp_path, {"talk.stm": text, "talk.wav": long_sound()})
    with pytest.raises(
        InputError, match=r"talk\.stm, line 1: the segment from 0\.5 s to 0\.6 s is"
    ):
        read(tmp_path)
    for times in ("0.2 0.1", "x 1", "nan 1", "0 inf", "-1 1"):
        write(tmp_path, {"talk.stm": f"talk 1 spk {times} text\n"})
        with pytest.raises(InputError, match=r"talk\.stm, line 1: .* (duration|time in seconds)"):
            read(tmp_path)


def test_wrong_sizes_and_rates_are_said(tmp_path):
    files = {"t.csv": "file,text\na.wav,one\nb.wav,two\n", "a.wav": sound(1, data_size=0)}
    other = bytearray(sound(2))
    other[24:28] = struct.pack("<I", 2 * RATE)
    _, summary = read(write(tmp_path, files | {"b.wav": bytes(other)}))
    assert "0.0 minutes at 8,000 Hz (1 file), 16,000 Hz (1 file), resampled" in str(summary)
    assert "1 file read to the end, since the size in the header is unknown" in str(summary)
    assert "a.wav" in str(summary)


def test_characters_outside_of_the_alphabet(tmp_path):
    text = "file,text\na.wav,né\nb.wav,éé1\nc.wav,none\nd.wav,one\ne.wav,on\n"
    write(tmp_path, {"t.csv": text} | {f"{name}.wav": 1 for name in "abcde"})
    message = r"line 2: 'é' at position 2 .* 'eno '; all such .*: 'é' 3 times, '1' once"
    with pytest.raises(InputError, match=message):
        read(tmp_path, alphabet="eno ")
    with row_errors.policy("skip"):
        rows, summary = read(tmp_path, alphabet="eno ")
    assert [text for _, text, _ in rows] == ["none", "one", "on"]
    assert summary.left_out == {"bad rows": 2}
    _, summary = read(tmp_path)
    assert "5 different characters in the transcripts, of which '1' once, 'e' 2" in str(summary)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.wav": 1}, "has no transcripts: add a table"),
        ({}, "has no transcripts"),
        ({"a.txt": "text"}, "has no transcripts"),
        ({"t.csv": "file,text\nb.wav,x\n"}, r"t\.csv, line 2: .*b\.wav"),
        ({"a.csv": "", "b.csv": ""}, "has several tables but none named train"),
        ({"t.csv": "sound,text\na.wav,x\n"}, "no column 'file'; there are sound, text"),
        ({"wav.scp": "a a.wav\n"}, "There is no file .*text"),
        ({"wav.scp": "a a.wav\n", "text": "a x\n", "segments": "s a 0\n"}, "segments, line 1: 's"),
        ({"a.stm": "a 1 b\n"}, "a.stm, line 1: 'a 1 b' needs recording, channel"),
        ({"metadata.csv": "a|x\na\n", "wavs/a.wav": 1}, "metadata.csv, line 2: the line has 1"),
        (
            {"t.csv": "file,text,offset,duration\na.wav,x,0,soon\n", "a.wav": 1},
            r"t\.csv, line 2: 'soon' is not a time in seconds",
        ),
        ({"t.jsonl": '{"file": "a\\u0000", "text": "x"}\n'}, r"t\.jsonl, line 1: .* is not a path"),
    ],
)
def test_invalid_folders(tmp_path, files, message):
    with pytest.raises(InputError, match=message):
        read(write(tmp_path / "mine", {"x/y": "", **files}))


WORDS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\t |\ufeff\0"), min_size=1
).filter(lambda text: text.strip() == text)


@given(
    st.lists(WORDS.map(" ".join), min_size=1, max_size=3), st.sampled_from(["lj", "kaldi", "stm"])
)
def test_transcripts_are_read_back(tmp_path_factory, texts, kind):
    folder = tmp_path_factory.mktemp("corpus")
    rows = list(enumerate(texts))
    files = {f"s{number}.wav": number for number, _ in rows}
    if kind == "lj":
        files["metadata.csv"] = "".join(f"s{n}|{text}\n" for n, text in rows)
    elif kind == "kaldi":
        files["text"] = "".join(f"s{n} {text}\n" for n, text in rows)
        files["wav.scp"] = "".join(f"s{n} s{n}.wav\n" for n, _ in rows)
    else:
        files["a.stm"] = "".join(f"s{n} 1 x 0 0.1 <o,f0,male> {text}\n" for n, text in rows)
    options = {"normalize": str}
    assert [text for _, text, _ in read(write(folder, files), **options)[0]] == texts
