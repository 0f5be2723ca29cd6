"""Explanations of errors of the operating system and of memory."""

import doctest
import errno

import pytest

from keras_seq._internal import errors as module
from keras_seq._internal.errors import DamagedFileError, InputError, explain


@pytest.mark.parametrize(
    "error, sentence",
    [
        (InputError("A\n  text."), "A text."),
        (DamagedFileError("a.npz", "it is empty", "go"), "a.npz is damaged: it is empty; go."),
        (FileNotFoundError(errno.ENOENT, "", "a/b"), "a/b does not exist."),
        (PermissionError(errno.EACCES, "", b"a"), "a cannot be used: permission denied."),
        (IsADirectoryError(errno.EISDIR, "", "a"), "a is a folder, not a file."),
        (NotADirectoryError(errno.ENOTDIR, "", "a/b"), "a/b needs a folder where there is a file."),
        (OSError(errno.EROFS, "", "a"), "a cannot be written: its file system is read-only."),
        (OSError(errno.EIO, "Input/output error", "a"), "a cannot be used: Input/output error."),
        (OSError(errno.ENOTEMPTY, "", "a", None, "b"), "b exists already and is not empty."),
        (OSError(errno.ENOSPC, "", "a"), "The disk of a is full; free some space and try again."),
        (OSError(errno.EDQUOT, ""), "The disk is full; free some space and try again."),
    ],
)
def test_errors_are_explained_in_one_sentence(error, sentence):
    assert explain(error) == sentence


@pytest.mark.parametrize(
    "error",
    [ValueError("a"), KeyError("a"), TypeError("a"), ConnectionResetError(errno.ECONNRESET, "")],
)
def test_programming_errors_are_not_explained(error):
    assert explain(error) is None


def test_out_of_memory():
    class ResourceExhaustedError(Exception):
        """Class of the same name as TensorFlow's error."""

    for error in (MemoryError(), ResourceExhaustedError("OOM when allocating")):
        assert explain(error).startswith("There is not enough memory: try a smaller batch")


def test_examples_in_docstrings():
    results = doctest.testmod(module)
    assert results.attempted and not results.failed
