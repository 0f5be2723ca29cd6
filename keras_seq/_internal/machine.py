"""Machine that a training or a benchmark runs on."""

import os
import platform
import re
from pathlib import Path
from typing import Any

ISAS = {"amx_tile": "amx", "avx512f": "avx512", "avx2": "avx2"}
"""Flag in `/proc/cpuinfo` to instruction set, the widest first."""
TITLES = {"amx": "AMX", "avx512": "AVX-512", "avx2": "AVX2"}

Machine = dict[str, Any]
"""Processor name, instruction set and number of cores."""


def describe(cpuinfo: Path = Path("/proc/cpuinfo")) -> Machine:
    """Return the processor, its widest instruction set and the number of cores.

    Args:
        cpuinfo: Linux's description of the processor. Without it, Python's is used.
    """
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    flags = fields.get("flags", "").split()
    return {
        "processor": fields.get("model name") or platform.processor() or "unknown processor",
        "isa": next((isa for flag, isa in ISAS.items() if flag in flags), platform.machine()),
        "cores": os.cpu_count(),
    }


def title(machine: Machine) -> str:
    """Return a heading such as "Intel Xeon, AVX-512, 2 cores"."""
    noise = r"\([RTM]+\)|\b(?:CPU|Processor|\d+-Core)\b|@.*"
    name = " ".join(re.sub(noise, "", machine["processor"]).split())
    isa = machine["isa"]
    return f"{name}, {TITLES.get(isa, isa)}, {machine['cores']} cores"


def slug(machine: Machine) -> str:
    """Return the title as a part of a file name, such as "intel_xeon_avx512_2_cores"."""
    return re.sub(r"[^a-z0-9]+", "_", title(machine).lower().replace("-", ""))


def count_gpus() -> int:
    """Return the number of GPUs that Keras's backend uses."""
    import keras

    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        return len(tf.config.list_physical_devices("GPU"))
    if backend == "torch":
        import torch

        return torch.cuda.device_count()
    import jax

    return sum(device.platform == "gpu" for device in jax.local_devices())


def training_machine() -> str:
    """Return the processor and the GPUs of this process, such as "Intel Xeon, AMX, 2 cores"."""
    gpus = count_gpus()
    return title(describe()) + (f", {gpus} GPUs" if gpus > 1 else ", 1 GPU" if gpus else "")
