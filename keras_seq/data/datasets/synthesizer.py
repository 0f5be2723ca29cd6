"""Speech synthesis in a process of its own.

The output of a synthesizer can depend on all earlier calls in its process. In a new process it is
reproducible.
"""

import json
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np

from keras_seq._internal.errors import InputError
from keras_seq._internal.types import Array

HEADER = struct.Struct("<II")
"""Sampling rate in Hz and number of samples of an utterance, before its samples."""


def run(
    module: str, name: str, utterances: Iterable[tuple], files: Mapping[str, bytes] | None = None
) -> Iterator[tuple[int, Array]]:
    """Run a module in a new process, and yield the utterances that it writes to standard output.

    Args:
        module: Name of the module. It calls `read_request` and `write_utterance`.
        name: Name of the synthesizer, for error messages.
        utterances: Named tuples of strings and numbers.
        files: Files of the synthesizer by relative path, such as those in a wheel. They are
            written to a temporary folder.

    Yields:
        Sampling rate in Hz and samples, int16 `(samples,)`, of each utterance.

    Raises:
        InputError: If the module fails. The message contains the last line of its errors.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile("w+") as request,
        tempfile.TemporaryFile() as errors,
    ):
        for path, content in (files or {}).items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        json.dump([folder, list(utterances)], request)
        request.seek(0)
        with subprocess.Popen(
            [sys.executable, "-m", module], stdin=request, stdout=subprocess.PIPE, stderr=errors
        ) as process:
            assert process.stdout is not None
            while head := process.stdout.read(HEADER.size):
                rate, count = HEADER.unpack(head)
                yield rate, np.frombuffer(process.stdout.read(2 * count), "<i2")
        if process.returncode:
            errors.seek(0)
            last_line = errors.read().decode("utf-8", "replace").strip().split("\n")[-1]
            raise InputError(f"{name} failed: {last_line}")


def read_request() -> tuple[str, list[list]]:
    """Return the folder of files and the utterances that `run` writes to standard input."""
    folder, utterances = json.load(sys.stdin)
    return folder, utterances


def write_utterance(file: BinaryIO, rate: int, samples: bytes) -> None:
    """Write an utterance in the format that `run` reads.

    Args:
        file: Standard output.
        rate: Sampling rate in Hz.
        samples: Samples as 16-bit integers, little-endian.
    """
    file.write(HEADER.pack(rate, len(samples) // 2))
    file.write(samples)
