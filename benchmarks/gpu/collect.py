"""Wheels for a machine without a network: `python -m benchmarks.gpu.collect FOLDER`.

The machine needs Python with pip, JAX and torch for its GPU, and NumPy. This collects what else the
benchmark and its tests import, in the versions of this environment: keras-seq itself, Keras and its
dependencies, and pytest. `--without NAME` leaves out what the machine has. Prints the sizes, and
fails if they exceed `--max-mb`.
"""

import argparse
import importlib.metadata
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]

RUN = ("keras", "namex", "optree", "absl-py", "rich", "h5py", "ml_dtypes", "wrapt", "filelock")
"""Packages that Keras and `keras_seq.layers` import, without NumPy."""
OF_THESE = ("markdown-it-py", "mdurl", "pygments", "typing_extensions", "packaging")
"""Dependencies of these packages."""
TESTS = (
    "pytest",
    "pytest-xdist",
    "execnet",
    "iniconfig",
    "pluggy",
    "hypothesis",
    "sortedcontainers",
)
TESTS_IN_C = ("psutil",)
PLATFORMS = (
    *("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_24_x86_64"),
    *("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_12_x86_64"),
)


def pin(names: Iterable[str]) -> list[str]:
    """Return requirements with the installed versions; without one if a package is missing.

    >>> from benchmarks.gpu.collect import pin
    >>> pin(["no-such-package"])
    ['no-such-package']

    Args:
        names: Names of packages.
    """
    requirements = []
    for name in names:
        try:
            requirements.append(f"{name}=={importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            requirements.append(name)
    return requirements


def download_command(requirements: Sequence[str], folder: Path, python: str) -> list[str]:
    """Return the command that downloads wheels for another Python, without dependencies.

    Args:
        requirements: Requirements.
        folder: Folder for the wheels.
        python: Version of Python, such as "3.12".
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", python]
    for platform in PLATFORMS:
        command += ["--platform", platform]
    return [*command, "--dest", str(folder), *requirements]


def collect(folder: Path, python: str, without: Iterable[str] = ()) -> list[Path]:
    """Fill a folder with wheels and return them.

    Args:
        folder: New or empty folder.
        python: Version of Python.
        without: Names of packages that the machine has.

    Raises:
        SystemExit: If the folder has wheels already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.glob("*.whl")):
        sys.exit(f"{folder} contains wheels already: choose another folder.")
    names = [n for n in (*RUN, *OF_THESE, *TESTS, *TESTS_IN_C) if n not in set(without)]
    subprocess.run(download_command(pin(names), folder, python), check=True)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--wheel-dir", str(folder), str(ROOT)], check=True)
    return sorted(folder.glob("*.whl"))


def main() -> None:
    """Collect, and print the size of each wheel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="version of Python on the machine")
    parser.add_argument("--without", nargs="*", default=[], help="packages that the machine has")
    parser.add_argument("--max-mb", type=float, default=64)
    options = parser.parse_args()
    wheels = collect(options.folder, options.python, options.without)
    sizes = {wheel.name: wheel.stat().st_size / 2**20 for wheel in wheels}
    for name, size in sizes.items():
        print(f"{size:7.2f} MB  {name}")
    total = sum(sizes.values())
    print(f"{total:7.2f} MB  in all")
    if total > options.max_mb:
        sys.exit(f"More than {options.max_mb:g} MB: leave out what the machine has, --without.")


if __name__ == "__main__":
    main()
