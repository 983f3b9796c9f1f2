"""Runs commands of geoseg in forked children, so that torch is imported once: ``python server.py [VRT]``.

With a VRT, the process has opened it through rasterio, and used pyogrio, before it imports geoseg, as any
program may: what the command line sets up comes too late then.

Reads one JSON object a line (``args``, ``cwd``, ``stdout``, ``stderr``, ``timeout``, ``space``: whether
the disk seems to have room whatever it has) and answers each with one (``code``, ``peak_mb``, ``seconds``). A
child that takes too long is killed and has the code ``None``.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import Any

from geoseg.runtime import process
from tests.limits import HANGS_S
from tests.raster.open_all import use_rasterio

MOST_ADDRESSES = 24 << 30
"""Of a child, in bytes: libraries reserve far more than they use; this only protects the machine."""


def _no_check(folder: object, needed: int) -> None:
    """The disk seems to have room when a run begins, and another program takes it while the run goes on."""


def _become(request: dict[str, Any]) -> None:
    """The child: what a shell does before it starts a program, then the program."""
    os.setsid()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_ADDRESSES, MOST_ADDRESSES))
    os.chdir(request["cwd"])
    for number, name in enumerate((os.devnull, request["stdout"], request["stderr"])):
        flags = os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC
        os.dup2(os.open(name, flags, 0o644), number)
    from geoseg.cli.main import main

    if request["space"]:
        importlib.import_module("geoseg.pipeline.segment").check_space = _no_check
    try:
        main(request["args"])
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(int(end.code or 0))
    except BaseException:  # noqa: BLE001 - a traceback that reaches here is one a user would see
        import traceback

        traceback.print_exc()
        os._exit(70)


def _wait(child: int, timeout: float) -> dict[str, Any]:
    """Wait for a child; one that has worked for longer than it may, or does nothing for ages, is killed.

    Its own processor time counts, not the clock, which also measures what else the machine does.
    """
    started = time.monotonic()
    killed = False
    while True:
        found, status, usage = os.wait4(child, os.WNOHANG)
        seconds = time.monotonic() - started
        if found:
            code = None if killed else os.waitstatus_to_exitcode(status)
            return {"code": code, "peak_mb": usage.ru_maxrss / 1024, "seconds": seconds}
        if not killed and (_worked(child, seconds) > timeout or seconds > HANGS_S):
            os.killpg(child, signal.SIGKILL)
            killed = True
        time.sleep(0.01)


def _worked(child: int, seconds: float) -> float:
    """Seconds of processor time of a process; those of the clock where that is not told."""
    try:
        words = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return seconds
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Serve until stdin ends."""
    if len(sys.argv) > 1:
        use_rasterio(sys.argv[1])
        importlib.import_module("pyogrio")
    else:
        process.set_up()
    for name in ("info", "infer", "tile", "mosaic", "preview", "vectorize"):
        importlib.import_module(f"geoseg.cli.{name}")
    for name in ("geoseg.pipeline.segment", "geoseg.pipeline.tiles", "geoseg.report.picture"):
        importlib.import_module(name)
    for line in sys.stdin:
        request = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(request)
        print(json.dumps(_wait(child, request["timeout"])), flush=True)


if __name__ == "__main__":
    main()
