"""What this machine offers to a network."""

from __future__ import annotations

import math
import os
import platform
from pathlib import Path

import psutil
import torch

from geoseg.core import Machine, NetworkOptions
from geoseg.errors import OptionError, ResourceError
from geoseg.model import openvino_predictor

_CGROUP_V2 = Path("/sys/fs/cgroup")
_CGROUP_V1 = Path("/sys/fs/cgroup/memory")
_LIMITS = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
"""Files of a container's limit and of what it uses, in cgroups of version 2 and 1."""
_CPUINFO = Path("/proc/cpuinfo")


def describe_machine(options: NetworkOptions) -> Machine:
    """Find the device and runtime that the user's options come to here.

    Raises:
        ResourceError: a device or runtime was asked for that is not there.
        OptionError: OpenVINO was asked for together with a GPU.
    """
    # OpenVINO runs on the CPU: who asks for it and leaves the device open means the CPU.
    device = _device("cpu" if (options.runtime, options.device) == ("openvino", "auto") else options.device)
    runtime = _runtime(options.runtime, device)
    if device == "cuda":
        name, bf16 = torch.cuda.get_device_name(), torch.cuda.get_device_capability() >= (8, 0)
    else:
        name, bf16 = _cpu_name(), runtime == "openvino" and openvino_predictor.has_bf16()
    return Machine(device, name, runtime, bf16, usable_cores(), available_memory())


def _device(wish: str) -> str:
    found = torch.cuda.is_available()
    if wish == "cuda" and not found:
        reason = "torch was built without CUDA" if torch.version.cuda is None else "torch finds no GPU"
        raise ResourceError(f"--device cuda: {reason}", "use --device cpu, or see `geoseg doctor`")
    return "cuda" if found and wish != "cpu" else "cpu"


def _runtime(wish: str, device: str) -> str:
    if wish == "openvino" and device == "cuda":
        raise OptionError("--runtime openvino runs on the CPU only", "add --device cpu")
    if wish == "openvino" and not openvino_predictor.is_installed():
        raise ResourceError(
            "--runtime openvino: OpenVINO is not installed", "pip install openvino, or use --runtime torch"
        )
    if wish == "auto":
        return "openvino" if device == "cpu" and openvino_predictor.is_installed() else "torch"
    return wish


def usable_cores() -> int:
    """Cores this process may use: by affinity and by the container's quota."""
    process = psutil.Process()
    cores = (
        len(process.cpu_affinity()) if hasattr(process, "cpu_affinity") else os.cpu_count() or 1
    )  # macOS has none
    quota, _, period = (_first_line(_CGROUP_V2 / "cpu.max") or "max").partition(" ")
    if quota.isdigit() and period.isdigit():
        cores = min(cores, math.ceil(int(quota) / int(period)))
    return max(cores, 1)


def available_memory() -> int:
    """Bytes that can be taken now: by the system, and by a container's limit, which psutil does not know."""
    folders = zip((_CGROUP_V2, _CGROUP_V1), _LIMITS, strict=True)
    within = (_container_memory(folder, *names) for folder, names in folders)
    system = int(psutil.virtual_memory().available)
    return min([system, *(memory for memory in within if memory is not None)])


def _container_memory(folder: Path, limit_name: str, used_name: str) -> int | None:
    """What is left of a container's limit; None without one."""
    limit, used = _first_line(folder / limit_name) or "max", _first_line(folder / used_name) or "0"
    if not (limit.isdigit() and used.isdigit()):
        return None
    stat = dict(line.split(maxsplit=1) for line in _lines(folder / "memory.stat") if " " in line)
    files = max(int(stat.get(name, 0)) for name in ("inactive_file", "total_inactive_file"))
    taken = int(used) - files - int(stat.get("slab_reclaimable", 0))
    return max(int(limit) - max(taken, 0), 0)


def _cpu_name() -> str:
    for line in _lines(_CPUINFO):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()


def _first_line(path: Path) -> str | None:
    return next(iter(_lines(path)), None)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except OSError:  # another system, or another version of cgroups
        return []
