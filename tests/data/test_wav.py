"""Tests of WAV files whose headers players understand: sizes, chunks and sample formats."""

import io
import struct

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, wav
from keras_seq.data.audio_decoding import decode_audio

soundfile = pytest.importorskip("soundfile")

SAMPLES = (8_000 * np.sin(np.arange(1_600) / 9)).astype("<i2")
PCM_16 = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 16)
GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, content, size=None, pad=True):
    """Return a chunk whose header states another size than that of its content if one is given."""
    padding = bytes(len(content) % 2) if pad else b""
    size = len(content) if size is None else size
    return struct.pack("<4sI", name, size) + content + padding


def wave(*chunks, riff_size=None, kind=b"RIFF"):
    content = b"WAVE" + b"".join(chunks)
    size = len(content) if riff_size is None else riff_size
    return struct.pack("<4sI", kind, size) + content


def decode(tmp_path, content, name="a.wav", **options):
    (tmp_path / name).write_bytes(content)
    return decode_audio(tmp_path / name, **options)


def check(recording, samples=SAMPLES, has_wrong_size=None):
    np.testing.assert_array_equal(recording.samples * 2**15, samples)
    assert has_wrong_size in (None, recording.has_wrong_size)


FORMAT = chunk(b"fmt ", PCM_16)
DATA = chunk(b"data", SAMPLES.tobytes())
NUM_BYTES = SAMPLES.nbytes
LIST = chunk(b"LIST", b"INFOIART\x04\0\0\0Ada\0")


@pytest.mark.parametrize(
    ("riff_size", "data_size", "has_wrong_size"),
    [
        (0x7FFFF024, 0x7FFFF000, True),  # sox writes this into pipes.
        (0x80000024, 0x80000000, True),  # arecord
        (0, 0, True),  # gstreamer
        (0xFFFFFFFF, 0xFFFFFFFF, True),  # ffmpeg
        (36, 0, True),  # an interrupted recorder
        (NUM_BYTES + 44, NUM_BYTES, False),  # The size of the RIFF chunk is 8 too large.
        (0, NUM_BYTES, False),
        (NUM_BYTES + 36, NUM_BYTES + 100, True),
        (NUM_BYTES + 36, 99, True),
    ],
)
def test_unknown_and_wrong_sizes(tmp_path, riff_size, data_size, has_wrong_size):
    data = chunk(b"data", SAMPLES.tobytes(), data_size)
    content = wave(FORMAT, data, riff_size=riff_size)
    check(decode(tmp_path, content), has_wrong_size=has_wrong_size)
    # Other chunks may come before the samples.
    check(decode(tmp_path, wave(LIST, FORMAT, LIST, data, riff_size=riff_size)))


@given(riff_size=st.integers(0, 2**32 - 1), data_size=st.integers(0, 2**32 - 1))
@example(riff_size=0, data_size=1)
def test_any_size_in_the_header_gives_the_same_samples(tmp_path_factory, riff_size, data_size):
    # Two sizes that agree count. Fewer than eight bytes at the end are padding.
    if 44 + data_size in (riff_size, riff_size + 8) or 0 <= NUM_BYTES - data_size < 8:
        return
    content = wave(FORMAT, chunk(b"data", SAMPLES.tobytes(), data_size), riff_size=riff_size)
    check(decode(tmp_path_factory.getbasetemp(), content))


def test_bytes_after_the_samples(tmp_path):
    # Both sizes agree that the samples end here.
    check(decode(tmp_path, wave(FORMAT, DATA) + b"junk" * 99), has_wrong_size=False)
    # Chunks follow, up to the end of the file.
    for riff_size in (None, 0, 2**32 - 1):
        content = wave(FORMAT, DATA, LIST, LIST, riff_size=riff_size)
        check(decode(tmp_path, content), has_wrong_size=False)
    # Padding, and the remains of a frame.
    check(decode(tmp_path, wave(FORMAT, DATA) + b"\0"), has_wrong_size=False)
    check(decode(tmp_path, wave(FORMAT, chunk(b"data", SAMPLES.tobytes() + b"x", 0, pad=False))))


@pytest.mark.parametrize("name", [b"LIST", b"fact", b"bext", b"cue ", b"JUNK"])
@pytest.mark.parametrize("pad", [True, False])
def test_chunks_of_odd_size(tmp_path, name, pad):
    check(decode(tmp_path, wave(FORMAT, chunk(name, b"hello", pad=pad), DATA)))
    content = wave(FORMAT, DATA, chunk(name, b"hello", pad=pad), LIST, riff_size=0)
    check(decode(tmp_path, content), has_wrong_size=False)


def test_samples_of_odd_size(tmp_path):
    values = np.arange(1, 160, 2, dtype="uint8")[:79]
    sample_format = chunk(b"fmt ", struct.pack("<HHIIHH", 1, 1, 8_000, 8_000, 1, 8))
    for pad in (True, False):
        data = chunk(b"data", values.tobytes(), pad=pad)
        recording = decode(tmp_path, wave(sample_format, data, LIST))
        np.testing.assert_array_equal(recording.samples * 128 + 128, values)


@pytest.mark.parametrize("kind", [b"RF64", b"BW64"])
@pytest.mark.parametrize("data_size", [NUM_BYTES, 0, 2**40])
def test_sizes_of_64_bits(tmp_path, kind, data_size):
    sizes = chunk(b"ds64", struct.pack("<QQQI", data_size + 72, data_size, 1_600, 0))
    data = chunk(b"data", SAMPLES.tobytes(), 2**32 - 1)
    check(decode(tmp_path, wave(sizes, FORMAT, data, kind=kind, riff_size=2**32 - 1)))


def test_header_for_more_than_four_gigabytes(tmp_path):
    path, size = tmp_path / "a.wav", 5 * 2**30
    with path.open("wb") as file:  # The file has holes.
        file.write(wave(FORMAT, chunk(b"data", b"", 2**32 - 1)))
        file.truncate(size + 44)
    with path.open("rb") as file:
        repaired, has_wrong_size = wav.repair(file, path)
        assert has_wrong_size and soundfile.SoundFile(repaired).frames == size // 2
    with pytest.raises(limits.LimitError, match="the duration in seconds is 167772"):
        decode_audio(path)


ENCODINGS = {
    # Largest difference of a sample that is read back, from -1 to 1.
    "PCM_U8": 2**-7,
    "PCM_16": 2**-15,
    "PCM_24": 2**-23,
    "PCM_32": 2**-24,
    "FLOAT": 0,
    "DOUBLE": 0,
    "ALAW": 2**-5,
    "ULAW": 2**-5,
    "IMA_ADPCM": 0.1,
    "MS_ADPCM": 0.1,
    "GSM610": 0.2,
}


CONTAINERS = [
    (container, encoding)
    for container in ("WAV", "WAVEX", "RF64")
    for encoding in ENCODINGS
    if soundfile.check_format(container, encoding)
]


@pytest.mark.parametrize(("container", "encoding"), CONTAINERS)
@pytest.mark.parametrize("size", [None, 0, 2**32 - 1])
def test_encodings_are_read_within_their_quantization_step(tmp_path, encoding, container, size):
    samples = (0.5 * np.sin(np.arange(4_000) / 30)).astype("float32")
    soundfile.write(tmp_path / "a.wav", samples, 8_000, encoding, format=container)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    if size is not None:
        start = content.index(b"data") + 4
        content[start : start + 4] = struct.pack("<I", size)
    recording = decode(tmp_path, content)
    assert recording.sample_rate == 8_000 and 4_000 <= len(recording.samples) <= 4_500
    difference = np.abs(recording.samples[:4_000] - samples).max()
    assert difference <= ENCODINGS[encoding]


@given(
    st.sampled_from([("<i2", 1), ("<i4", 1), ("u1", 1), ("<f4", 3), ("<f8", 3)]),
    st.integers(1, 9),
    st.lists(st.integers(-(2**31), 2**31 - 1), min_size=1, max_size=9),
)
def test_samples_are_read_back(tmp_path_factory, kind, channels, values):
    dtype, code = np.dtype(kind[0]), kind[1]
    numbers = np.array(values)
    if code == 1:
        stored = (numbers >> (32 - 8 * dtype.itemsize)) + 128 * (dtype.itemsize == 1)
        expected = (stored - 128 * (dtype.itemsize == 1)) / 2 ** (8 * dtype.itemsize - 1)
    else:
        stored = expected = numbers / 2**31
    frames = np.repeat(stored[:, None], channels, axis=1).astype(dtype)
    width = dtype.itemsize * channels
    values = code, channels, 8_000, 8_000 * width, width, 8 * dtype.itemsize
    content = wave(
        chunk(b"fmt ", struct.pack("<HHIIHH", *values)), chunk(b"data", frames.tobytes())
    )
    recording = decode(tmp_path_factory.getbasetemp(), content)
    np.testing.assert_allclose(recording.samples, expected, atol=1e-6)


@pytest.mark.parametrize(
    "sample_format",
    [
        struct.pack("<HHIIHH", 1, 1, 16_000, 0, 0, 16),  # no size of a frame
        struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 12),  # 12 bits in two bytes
        PCM_16 + bytes(2),
        struct.pack("<HHIIHHHHIH", 0xFFFE, 1, 16_000, 32_000, 2, 16, 22, 16, 4, 1) + GUID,
        struct.pack("<HHIIHHH", 0xFFFE, 1, 16_000, 32_000, 2, 16, 0),
    ],
)
def test_descriptions_of_16_bits(tmp_path, sample_format):
    check(decode(tmp_path, wave(chunk(b"fmt ", sample_format), DATA)))


def test_24_bits_in_four_bytes(tmp_path):
    sample_format = struct.pack("<HHIIHH", 1, 1, 16_000, 64_000, 4, 24)
    data = chunk(b"data", (SAMPLES.astype("<i4") << 16).tobytes())
    check(decode(tmp_path, wave(chunk(b"fmt ", sample_format), data)))


def test_big_endian_samples(tmp_path):
    content = b"WAVEfmt " + struct.pack(">IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    content += struct.pack(">4sI", b"data", 0) + SAMPLES.astype(">i2").tobytes()
    check(decode(tmp_path, b"RIFX" + bytes(4) + content), has_wrong_size=True)


def test_one_channel_or_the_mean_of_all(tmp_path):
    frames = np.stack([SAMPLES, SAMPLES // 2, 0 * SAMPLES], 1)
    sample_format = struct.pack("<HHIIHH", 1, 3, 16_000, 96_000, 6, 16)
    content = wave(chunk(b"fmt ", sample_format), chunk(b"data", frames.tobytes()))
    check(decode(tmp_path, content, channel=1), SAMPLES // 2)
    mean = decode(tmp_path, content).samples * 2**15
    np.testing.assert_allclose(mean, frames.mean(axis=1), atol=1e-2)
    with pytest.raises(InputError, match=r"a\.wav has 3 channels; there is no channel 4"):
        decode(tmp_path, content, channel=3)
    # A file of one channel is that channel, whatever its number.
    check(decode(tmp_path, wave(FORMAT, DATA), channel=1))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (wave(FORMAT), "the WAV file has no audio data"),
        (wave(DATA), "the WAV file has no description of its format"),
        (wave(chunk(b"fmt ", b"short"), DATA), "is damaged or is not an audio file"),
        (wave(FORMAT, chunk(b"data", b"")), "contains no audio samples"),
        (wave(FORMAT, chunk(b"data", b"", 800)), "contains no audio samples"),
        (wave(*[chunk(b"JUNK", b"")] * 10_001, FORMAT, DATA), "no description of its format"),
    ],
)
def test_damaged_files(tmp_path, content, message):
    with pytest.raises(InputError, match=rf"a\.wav .*{message}"):
        decode(tmp_path, content)


@pytest.mark.parametrize(
    ("container", "encoding"),
    [("FLAC", "PCM_16"), ("MP3", None), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("AIFF", "PCM_16")],
)
def test_other_formats(tmp_path, container, encoding):
    path = tmp_path / f"a.{container.lower()}"
    samples = np.sin(np.arange(16_000) / 30) / 2
    soundfile.write(path, np.stack([samples, samples], 1), 16_000, encoding, format=container)
    recording = decode_audio(path)
    assert recording.sample_rate == 16_000
    difference = recording.samples[1_000:15_000] - samples[1_000:15_000]
    assert np.sqrt(np.mean(difference**2)) < 0.05


def test_streamed_flac_and_au(tmp_path):
    """Neither has a number of samples in its header."""
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 16_000, format="FLAC")
    content = bytearray(file.getvalue())
    header = int.from_bytes(content[18:26], "big")
    content[18:26] = (header >> 36 << 36).to_bytes(8, "big")
    check(decode(tmp_path, content, "a.flac"))
    head = struct.pack(">4s5I", b".snd", 24, 0, 3, 16_000, 1)
    check(decode(tmp_path, head + SAMPLES.astype(">i2").tobytes(), "a.au"), has_wrong_size=True)


@pytest.mark.parametrize(
    ("container", "codec"), [("ipod", "aac"), ("webm", "libopus"), ("adts", "aac")]
)
def test_formats_that_only_ffmpeg_reads(tmp_path, container, codec):
    av = pytest.importorskip("av")
    samples = np.sin(np.arange(48_000) / 30).astype("float32") / 2
    path = tmp_path / "a.bin"
    with av.open(str(path), "w", format=container) as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate = 48_000
        resampler = av.AudioResampler(
            stream.format.name, "mono", 48_000, frame_size=stream.frame_size or 960
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode())
    recording = decode_audio(path)
    assert recording.sample_rate == 48_000
    assert recording.seconds == pytest.approx(1, abs=0.05)
    power = np.abs(np.fft.rfft(recording.samples[2_000:46_000])) ** 2
    assert power.argmax() == pytest.approx(44_000 / (2 * np.pi * 30), abs=2)
    with limits.override(max_audio_seconds=0.5), pytest.raises(limits.LimitError, match="duration"):
        decode_audio(path)


def test_samples_of_more_bits_than_a_file_can_state(tmp_path):
    sample_format = struct.pack("<HHIIHH", 1, 1, 16_000, 32_000, 2, 2**16 - 1)
    content = wave(chunk(b"fmt ", sample_format), chunk(b"data", bytes(8)))
    with pytest.raises(InputError, match=r"a\.wav is damaged or has an unknown audio codec"):
        decode(tmp_path, content)


def test_text_is_not_audio(tmp_path):
    with pytest.raises(InputError, match=r"a\.wav is damaged or is not an audio file: Format not"):
        decode(tmp_path, b"hello" * 99)
