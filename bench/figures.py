"""Figures: from repeated measurements to one table and one flat JSON file."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.child import ROOT

Measured = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    Attributes:
        key: ``part.name``.
        value: the median.
        low, high: least and greatest of the repetitions.
        unit: ``x`` for a ratio.
        how: one sentence.
        bar: ``>= 4``, ``<= 0.3``, or empty where there is none.
    """

    key: str
    value: float
    low: float
    high: float
    unit: str
    how: str
    bar: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``MISSED`` or empty."""
        if not self.bar:
            return ""
        relation, limit = self.bar.split()
        met = self.value >= float(limit) if relation == ">=" else self.value <= float(limit)
        return "met" if met else "MISSED"


def median_of(key: str, values: Sequence[float], unit: str, how: str, bar: str = "") -> Figure:
    """A figure from repetitions."""
    return Figure(key, statistics.median(values), min(values), max(values), unit, how, bar)


def in_turn(times: int, *works: Callable[[], Measured]) -> list[tuple[Measured, ...]]:
    """Run works in turn (A B A B ...), so that a slower minute of the machine meets all of them."""
    return [tuple(work() for work in works) for _ in range(times)]


def ratios(rounds: Iterable[tuple[Measured, ...]], above: int, below: int) -> list[float]:
    """Seconds of one work by those of another, round by round."""
    return [done[above]["seconds"] / done[below]["seconds"] for done in rounds]


def save(path: Path, figures: Iterable[Figure]) -> None:
    """Bring a results file up to date: keys measured now replace their old values, others stay.

    Each says at which commit and on which machine it was measured.
    """
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    for figure in figures:
        data[figure.key] = {
            "value": _rounded(figure.value),
            "low": _rounded(figure.low),
            "high": _rounded(figure.high),
            "unit": figure.unit,
            "how": figure.how,
            "commit": commit(),
            "machine": machine(),
        }
    ordered = dict(sorted(data.items()))
    path.write_text(json.dumps(ordered, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def table(figures: Sequence[Figure]) -> str:
    """Lines for people."""
    rows: list[tuple[str, ...]] = [("figure", "value", "low", "high", "unit", "bar", "")]
    for f in figures:
        rows.append(
            (f.key, *(f"{_rounded(v):g}" for v in (f.value, f.low, f.high)), f.unit, f.bar, f.verdict)
        )
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            c.rjust(w) if 1 <= i <= 3 else c.ljust(w)
            for i, (c, w) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def commit() -> str:
    """The commit the code stands at; ``+ changes`` where the package or the bench differs from it."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changes = _git(
        "status", "--porcelain", "--untracked-files=no", "--", "geoseg", "bench/*.py", "bench/cases"
    )
    return head + (" + changes" if changes else "")


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or ("unknown" if done.returncode else "")


def machine() -> str:
    """The machine in words."""
    cpu, memory = _linux_cpu(), 0.0
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    libraries = ", ".join(map(_with_version, ("torch", "openvino", "rasterio", "monai")))
    return (
        f"{os.cpu_count()} cores of {cpu}, {memory:.0f} GB of memory, no GPU used; "
        f"{platform.system()}, Python {platform.python_version()}, {libraries}"
    )


def _with_version(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return f"no {name}"


def _linux_cpu() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.machine()
    lines = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
    fields = {name.strip(): value.strip() for name, _, value in lines}
    kinds = [k for k in ("avx512f", "avx512_bf16", "amx_bf16") if k in fields.get("flags", "").split()]
    return f"{fields.get('model name', 'an unnamed CPU')} ({', '.join(kinds) or 'no AVX-512'})"
