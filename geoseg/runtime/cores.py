"""What this process may use of the machine: cores and memory."""

from __future__ import annotations

import math
import os
from pathlib import Path

import psutil

_CGROUP_V2 = Path("/sys/fs/cgroup")
_CGROUP_V1 = Path("/sys/fs/cgroup/memory")
_LIMITS = (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes"))
"""Files of a container's limit and of what it uses, in cgroups of version 2 and 1."""


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
    stat = dict(line.split(maxsplit=1) for line in lines_of(folder / "memory.stat") if " " in line)
    files = max(int(stat.get(name, 0)) for name in ("inactive_file", "total_inactive_file"))
    taken = int(used) - files - int(stat.get("slab_reclaimable", 0))
    return max(int(limit) - max(taken, 0), 0)


def _first_line(path: Path) -> str | None:
    return next(iter(lines_of(path)), None)


def lines_of(path: Path) -> list[str]:
    """Lines of a file of the system; none where there is no such file."""
    try:
        return path.read_text().splitlines()
    except OSError:  # another system, or another version of cgroups
        return []
