"""Run a module or a script as if TensorFlow were not installed.

`python tests/without_tensorflow.py FILE [ARGUMENTS]` or `... -m MODULE [ARGUMENTS]`. Child
processes are not affected, except through `sitecustomize.py` in a folder of `PYTHONPATH`, which
`install` writes.
"""

import importlib.machinery
import runpy
import sys
from pathlib import Path

HIDDEN = ("tensorflow", "tensorflow_datasets", "tf2onnx", "tf_keras", "keras_tuner")


class Finder(importlib.machinery.PathFinder):
    """Finder of modules that does not find some packages."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.partition(".")[0] in HIDDEN:
            return None
        return super().find_spec(name, path, target)


def hide():
    """Hide the packages from this process."""
    index = sys.meta_path.index(importlib.machinery.PathFinder)
    sys.meta_path[index] = Finder


def install(folder):
    """Write a `sitecustomize.py` that hides the packages, for `PYTHONPATH`."""
    (Path(folder) / "sitecustomize.py").write_text(
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "import without_tensorflow; without_tensorflow.hide(); del sys.path[0]\n"
    )


if __name__ == "__main__":
    hide()
    sys.argv.pop(0)
    if sys.argv[0] == "-m":
        sys.argv.pop(0)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
