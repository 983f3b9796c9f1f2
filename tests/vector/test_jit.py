"""What numba keeps is never older than the code it comes from."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import geoseg.vector.jit as room

CALL = "import kernels.main as m; print(m.twice(3), len(m.twice.stats.cache_hits))"


def answer(folder: Path) -> list[int]:
    """What a fresh process computes, and from how many kept pieces of machine code."""
    words = [sys.executable, "-c", CALL]
    done = subprocess.run(
        words,
        cwd=folder,
        env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(word) for word in done.stdout.split()]


def test_a_change_in_another_file_is_noticed(tmp_path: Path) -> None:
    """A function is compiled anew when a constant that it takes from elsewhere changes, and only then."""
    package = tmp_path / "kernels"
    package.mkdir()
    shutil.copy(str(room.__file__), package / "jit.py")
    (package / "other.py").write_text("FACTOR = 2\n")
    (package / "main.py").write_text(
        "from kernels.jit import kernel\nfrom kernels.other import FACTOR\n\n\n"
        "@kernel\ndef twice(x):\n    return FACTOR * x\n"
    )
    assert [6, 0] == answer(tmp_path)
    assert [6, 1] == answer(tmp_path)
    (package / "other.py").write_text("FACTOR = 5\n")
    assert [15, 0] == answer(tmp_path)
