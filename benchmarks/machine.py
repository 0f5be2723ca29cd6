"""Machine that a benchmark runs on."""

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
        "processor": fields.get("model name", platform.processor()),
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
