"""Machine that results name."""

import pytest

from keras_seq._internal import machine


@pytest.mark.parametrize(
    ("processor", "flags", "title", "slug"),
    [
        (
            "Intel(R) Xeon(R) Processor",
            "avx2 avx512f amx_tile",
            "Intel Xeon, AMX, 2 cores",
            "intel_xeon_amx_2_cores",
        ),
        (
            "Intel(R) Xeon(R) CPU E5-2690 v4 @ 2.60GHz",
            "avx2 avx512f",
            "Intel Xeon E5-2690 v4, AVX-512, 2 cores",
            "intel_xeon_e52690_v4_avx512_2_cores",
        ),
        (
            "AMD EPYC 7763 64-Core Processor",
            "avx avx2",
            "AMD EPYC 7763, AVX2, 2 cores",
            "amd_epyc_7763_avx2_2_cores",
        ),
    ],
)
def test_machine_is_named_by_processor_isa_and_cores(
    tmp_path, monkeypatch, processor, flags, title, slug
):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(f"processor\t: 0\nmodel name\t: {processor}\nflags\t\t: fpu {flags}\n\n")
    result = machine.describe(cpuinfo)
    assert machine.title(result) == title and machine.slug(result) == slug


@pytest.mark.parametrize(("count", "end"), [(0, ""), (1, ", 1 GPU"), (4, ", 4 GPUs")])
def test_gpus_of_a_training_are_named(monkeypatch, count, end):
    monkeypatch.setattr(machine, "count_gpus", lambda: count)
    assert machine.training_machine() == machine.title(machine.describe()) + end


def test_without_the_description_of_linux(tmp_path, monkeypatch):
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    described = machine.describe(tmp_path / "missing")
    assert (described["processor"], described["isa"]) == ("unknown processor", "arm64")
