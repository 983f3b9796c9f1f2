"""What the machine offers, against what the system says elsewhere."""

from __future__ import annotations

import os

import psutil
import pytest
import torch

from geoseg.core import NetworkOptions
from geoseg.errors import OptionError, ResourceError
from geoseg.model import openvino_predictor
from geoseg.model.machine import describe_machine
from geoseg.runtime import cores
from geoseg.runtime.cores import available_memory, usable_cores


@pytest.fixture
def no_gpu(monkeypatch):
    """A machine without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@pytest.fixture
def gpu(monkeypatch):
    """A machine with one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Fast")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (7, 5))


@pytest.fixture
def cgroup(monkeypatch, tmp_path):
    """A container whose limits are files in this folder."""
    monkeypatch.setattr(cores, "_CGROUP_V2", tmp_path)
    monkeypatch.setattr(cores, "_CGROUP_V1", tmp_path / "memory")
    return tmp_path


@pytest.mark.usefixtures("no_gpu")
def test_cpu(monkeypatch):
    """OpenVINO where it is installed, else torch; bf16 as OpenVINO sees it."""
    found = describe_machine(NetworkOptions())
    runtime = "openvino" if openvino_predictor.is_installed() else "torch"
    assert ("cpu", runtime) == (found.device, found.runtime)
    assert found.device_name
    assert openvino_predictor.has_bf16() == found.bf16
    plain = describe_machine(NetworkOptions(runtime="torch"))
    assert ("torch", False) == (plain.runtime, plain.bf16)
    monkeypatch.setattr(openvino_predictor, "openvino", None)
    without = describe_machine(NetworkOptions())
    assert ("torch", False) == (without.runtime, without.bf16)


@pytest.mark.usefixtures("no_gpu")
def test_what_is_not_there_is_refused(monkeypatch):
    """Nobody computes on the CPU unknowingly."""
    with pytest.raises(ResourceError, match="--device cuda"):
        describe_machine(NetworkOptions(device="cuda"))
    monkeypatch.setattr(openvino_predictor, "openvino", None)
    with pytest.raises(ResourceError, match="OpenVINO is not installed"):
        describe_machine(NetworkOptions(runtime="openvino"))


@pytest.mark.usefixtures("gpu")
def test_gpu():
    """A GPU is taken where there is one, unless something else is asked for."""
    found = describe_machine(NetworkOptions())
    assert ("cuda", "Fast", "torch", False) == (found.device, found.device_name, found.runtime, found.bf16)
    assert "cpu" == describe_machine(NetworkOptions(device="cpu")).device
    assert "cpu" == describe_machine(NetworkOptions(runtime="openvino")).device
    with pytest.raises(OptionError, match="CPU only"):
        describe_machine(NetworkOptions(runtime="openvino", device="cuda"))


def test_memory_as_psutil_sees_it():
    """Within a tenth: other processes come and go."""
    assert pytest.approx(psutil.virtual_memory().available, rel=0.1) == available_memory()


def test_limits_of_a_container(cgroup):
    """Memory and cores of the container, not of the machine below."""
    assert psutil.virtual_memory().total >= available_memory()
    (cgroup / "memory.max").write_text("900000000\n")
    (cgroup / "memory.current").write_text("400000000\n")
    (cgroup / "cpu.max").write_text("50000 100000\n")
    assert (500_000_000, 1) == (available_memory(), usable_cores())
    for name in ("memory.max", "cpu.max"):
        (cgroup / name).write_text("max 100000\n")
    assert usable_cores() >= 1
    assert available_memory() > 900_000_000


def test_what_the_container_can_drop_counts_as_available(cgroup):
    """Files read lately fill a container's memory, and leave it as soon as somebody wants it."""
    (cgroup / "memory.max").write_text("900000000\n")
    (cgroup / "memory.current").write_text("800000000\n")
    (cgroup / "memory.stat").write_text("anon 1\ninactive_file 500000000\nslab_reclaimable 100000000\n")
    assert 700_000_000 == available_memory()
    (cgroup / "memory.stat").write_text("inactive_file 990000000\n")
    assert 900_000_000 == available_memory()


def test_limits_of_an_older_container(cgroup):
    """Version 1 of cgroups has other names; without a limit it says a huge number."""
    (cgroup / "memory").mkdir()
    (cgroup / "memory" / "memory.limit_in_bytes").write_text("900000000\n")
    (cgroup / "memory" / "memory.usage_in_bytes").write_text("400000000\n")
    (cgroup / "memory" / "memory.stat").write_text("inactive_file 1\ntotal_inactive_file 100000000\n")
    assert 600_000_000 == available_memory()
    (cgroup / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert psutil.virtual_memory().total >= available_memory() > 900_000_000


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity on this system")
def test_cores_by_affinity():
    """Cores the process may not use do not count."""
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert 1 == usable_cores()
    finally:
        os.sched_setaffinity(0, before)
