"""Tests of audio and video files whose headers are wrong or that exceed a limit."""

import io
import struct

import numpy as np
import pytest

from keras_seq._internal.errors import InputError
from keras_seq.data import limits, read_video
from keras_seq.data.audio import read_audio

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")


def write_audio(path, channels=1, samples=1_600, rate=16_000):
    soundfile.write(path, np.zeros((samples, channels), "int16"), rate)
    return path


def test_sampling_rate_above_the_limit(tmp_path):
    path = write_audio(tmp_path / "a.wav")
    content = bytearray(path.read_bytes())
    content[24:28] = struct.pack("<I", 100_000_007)
    path.write_bytes(content)
    message = r"a\.wav: the sampling rate in Hz is 100000007, above the limit of 768000"
    with pytest.raises(limits.LimitError, match=message):
        read_audio(path, 16_000)


def set_announced_samples(path, count):
    """Write the number of samples into 36 bits of the header of a FLAC file."""
    content = bytearray(path.read_bytes())
    header = int.from_bytes(content[18:26], "big")
    content[18:26] = (header >> 36 << 36 | count).to_bytes(8, "big")
    path.write_bytes(content)
    return path


def test_announced_samples_above_the_limit(tmp_path):
    path = set_announced_samples(write_audio(tmp_path / "a.flac"), 2**36 - 1)
    with pytest.raises(limits.LimitError, match=r"the duration in seconds is 4294967\.29"):
        read_audio(path, 16_000)
    # With higher limits, no memory is allocated for samples that do not exist.
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
def test_limits_of_audio(tmp_path, limit, message):
    path = write_audio(tmp_path / "a.wav", channels=2)
    assert read_audio(path, 8_000).shape == (800,)
    with limits.override(**limit), pytest.raises(limits.LimitError, match=message):
        read_audio(path, 8_000)


def test_reading_in_blocks_equals_reading_at_once(tmp_path):
    samples = np.random.default_rng(0).normal(0, 0.1, (200_000, 2))
    soundfile.write(tmp_path / "a.wav", samples, 16_000)
    whole, _ = soundfile.read(tmp_path / "a.wav", dtype="float32")
    expected = np.round(whole.mean(axis=1) * 2**15).astype("int16")
    np.testing.assert_array_equal(read_audio(tmp_path / "a.wav", 16_000), expected)


def test_audio_without_a_header(tmp_path):
    (tmp_path / "a.raw").write_bytes(bytes(100))
    with pytest.raises(InputError, match=r"a\.raw is damaged or is not an audio file"):
        read_audio(tmp_path / "a.raw", 16_000)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Return the path of a video of 20 frames in 2 seconds."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "yuv420p"
        for level in range(20):
            picture = np.full((16, 32, 3), 10 * level, "uint8")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    path = tmp_path_factory.mktemp("video") / "a.mp4"
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
def test_limits_of_video(video, limit, message):
    with limits.override(max_pixels=512, max_video_seconds=2, max_video_frames=20):
        assert read_video(video, (4, 4)).shape == (16, 4, 4)
    with limits.override(**limit), pytest.raises(limits.LimitError, match=message):
        read_video(video, (4, 4))


def test_a_list_of_files_is_not_a_video(video):
    # By default, FFmpeg would open the listed files.
    path = video.with_name("list.avi")
    path.write_text(f"ffconcat version 1.0\nfile {video.name}\n")
    with pytest.raises(InputError, match=r"list\.avi is damaged or is not a video"):
        read_video(path, (4, 4))
