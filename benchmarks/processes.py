"""Measurements in processes of their own, with this version of the code or another one."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any


def run_json(script: str, arguments: list[str], code: Path) -> Any:
    """Run a script and return the JSON value in the last line that it prints.

    Args:
        script: Path of the script.
        arguments: Its arguments.
        code: Folder with the packages `keras_seq` and `recipes` that the script imports.

    Raises:
        RuntimeError: If the script fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        # The installed package of the recipes is that of this version.
        (Path(folder) / "keras_seq_recipes").symlink_to(code / "recipes")
        environment = {
            "PYTHONPATH": os.pathsep.join([str(code), folder]),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "CUDA_VISIBLE_DEVICES": "-1",
            "PYTHONDONTWRITEBYTECODE": "",  # bytecode is kept, as on users' machines
        }
        process = subprocess.run(
            [sys.executable, "-P", script, *arguments],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            check=False,
        )
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {process.stderr[-2000:]}")
    return json.loads(process.stdout.splitlines()[-1])


def versions(before: Path | None) -> dict[str, Path]:
    """Return the folder of each version of the code to compare.

    Args:
        before: Folder of another version, or None.
    """
    now = {"now": Path(__file__).resolve().parents[1]}
    return now if before is None else {**now, "before": before.resolve()}
