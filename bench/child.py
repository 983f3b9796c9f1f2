"""Work in a process of its own, so that its time and peak memory are nobody else's.

``python -m bench.child module:function '{"argument": 1}'`` calls the function and prints, as the last line,
its answer (a dictionary of plain values) with ``peak_mb`` added.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LIMIT_S = 1800


class ChildError(Exception):
    """The work failed; the message is the end of what it wrote to stderr."""


def measure(task: str, **arguments: Any) -> dict[str, Any]:
    """Call a function of this package in a fresh process.

    Args:
        task: ``module:function``, the module below ``bench``.
        arguments: JSON-able keywords; paths become text.

    Returns:
        What the function returned, with ``peak_mb``, the highest resident memory of its process.
    """
    command = [sys.executable, "-m", "bench.child", task, json.dumps(arguments, default=str)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=LIMIT_S, check=False, env=environment()
    )
    if done.returncode:
        raise ChildError(f"{task}: " + " | ".join(done.stderr.strip().splitlines()[-3:]))
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def time_command(command: list[str]) -> float:
    """Wall-clock seconds of a whole process, start-up and all."""
    started = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=LIMIT_S)
    seconds = time.perf_counter() - started
    if done.returncode:
        raise ChildError(f"{' '.join(command)}: " + " | ".join(done.stderr.strip().splitlines()[-3:]))
    return seconds


def environment() -> dict[str, str]:
    """The user's environment, without progress bars."""
    return os.environ | {"TQDM_DISABLE": "1", "PYTHONWARNINGS": "ignore"}


def peak_mb() -> float:
    """Highest resident memory of this process so far, in millions of bytes.

    ``VmHWM`` and not ``ru_maxrss``, which begins with the parent's.
    """
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ChildError("no VmHWM in /proc/self/status: the bench measures memory on Linux only")


def main() -> None:
    """Run one task, as :func:`measure` asks."""
    module, function = sys.argv[1].split(":")
    answer = getattr(importlib.import_module(f"bench.{module}"), function)(**json.loads(sys.argv[2]))
    print(json.dumps(answer | {"peak_mb": peak_mb()}))


if __name__ == "__main__":
    main()
