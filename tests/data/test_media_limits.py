"""Sound and video whose headers promise too much."""

import io
import struct

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, read_video
from keras_seq.data.audio import read_audio

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")


def sound(path, channels=1, samples=1_600, rate=16_000):
    soundfile.write(path, np.zeros((samples, channels), "int16"), rate)
    return path


def test_a_rate_of_100_000_007_hz(tmp_path):
    path = sound(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 100_000_007)
    path.write_bytes(content)
    message = r"a\.wav: the sampling rate in Hz is 100000007, above the limit of 768000"
    with pytest.raises(limits.LimitError, match=message):
        read_audio(path, 16_000)


def with_announced_samples(path, count):
    """Write the number of samples into the header of a FLAC file: its last 36 bits."""
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[18:26], "big")
    content[18:26] = (header >> 36 << 36 | count).to_bytes(8, "big")
    path.write_bytes(content)
    return path


def test_36_bits_of_samples(tmp_path):
    path = with_announced_samples(sound(tmp_path / "a.flac"), 2**36 - 1)
    with pytest.raises(limits.LimitError, match=r"the duration in seconds is 4294967\.29"):
        read_audio(path, 16_000)
    # Within other limits nothing is allocated for what is only announced.
    with (
        limits.override(max_audio_seconds=1e9, max_audio_samples=2**36),
        pytest.raises(InputError, match=r"a\.flac is damaged or is not an audio file|is truncated"),
    ):
        read_audio(path, 16_000)


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_audio_seconds": 0.09}, "the duration in seconds is 0.1, above"),
        ({"max_audio_samples": 3_199}, "the number of samples is 3200, above"),
        ({"max_decoding_seconds": 1e-9}, "the time to decode it in seconds is"),
        ({"max_file_bytes": 100}, "the size in bytes is"),
    ],
)
def test_limits_of_sound(tmp_path, limit, message):
    path = sound(tmp_path / "a.wav", channels=2)
    assert read_audio(path, 8_000).shape == (800,)
    with limits.override(**limit), pytest.raises(limits.LimitError, match=message):
        read_audio(path, 8_000)


def test_sound_is_the_same_in_blocks(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, (200_000, 2))
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    whole, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    expected = np.round(whole.mean(axis=1) * 2**15).astype("int16")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 16_000), expected)


def test_sound_without_a_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"a\.raw is damaged or is not an audio file"):
        read_audio(tmp_path / "a.raw", 16_000)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """A video of 20 frames in 2 seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for level in range(20):
            picture = np.full((16, 32, 3), 10 * level, "uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    path = tmp_path_factory.mktemp("film") / "a.mp4"
    path.write_bytes(file.getvalue())
    return path


@pytest.mark.parametrize(
    ("limit", "message"),
    [
        ({"max_pixels": 511}, "width times height of a frame is 512, above"),
        ({"max_video_seconds": 1.9}, "the duration in seconds is 2.0, above"),
        ({"max_video_frames": 19}, "the number of frames is 20, above"),
        ({"max_decoding_seconds": 1e-9}, "the time to decode it in seconds is"),
    ],
)
def test_limits_of_video(film, limit, message):
    with limits.override(max_pixels=512, max_video_seconds=2, max_video_frames=20):
        assert read_video(film, (4, 4)).shape == (16, 4, 4)
    with limits.override(**limit), pytest.raises(limits.LimitError, match=message):
        read_video(film, (4, 4))


def test_a_video_that_names_other_files(film):
    """FFmpeg would take this for a list of files to read."""
    path = film.with_name("list.avi")
    path.write_text(f"ffconcat version 1.0\nfile {film.name}\n")
    with pytest.raises(InputError, match=r"list\.avi is damaged or is not a video"):
        read_video(path, (4, 4))
