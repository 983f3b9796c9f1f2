"""How results are told: tables and amounts for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from geoseg.core import Estimate, Plan, SceneInfo
from geoseg.core.text import counted


def table(rows: Iterable[Sequence[str]]) -> None:
    """Print columns that are as wide as they need to be."""
    lines = [tuple(row) for row in rows]
    if not lines:
        return
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]) - 1)]
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line[:-1], widths, strict=True)]
        click.echo("  ".join([*cells, line[-1]]).rstrip())


def as_json(value: Any, indent: int | None = 2) -> None:
    """Print a value as JSON on stdout; NaN and infinity, which JSON does not know, as null."""
    click.echo(json.dumps(_finite(value), indent=indent, ensure_ascii=False, default=str))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if value - value == 0 else None
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value


def warn(text: str) -> None:
    """Tell something the user should know, on stderr."""
    click.echo(f"warning: {text}", err=True)


def note(text: str) -> None:
    """Tell a choice that was made, on stderr."""
    click.echo(f"note: {text}", err=True)


def bundle_note(given: str | None, folder: Path) -> None:
    """Tell which bundle is taken, where the user gave the folder of a training run."""
    if given and folder.parent == Path(given):
        note(f"{given} is a training run: its bundle, {folder}, is taken")


def size_text(size: tuple[int, int]) -> str:
    """``(height, width)`` as ``3072 x 4096 px``."""
    return f"{size[0]} x {size[1]} px"


def bytes_text(count: int) -> str:
    """An amount of memory: ``860 MB``, ``3.2 GB``."""
    return f"{count / 1e9:,.1f} GB" if count >= 1e9 else f"{count / 1e6:,.0f} MB"


def metres_text(info: SceneInfo) -> str:
    """A scene's sampling distance, one number where the pixels are square."""
    if info.gsd_m is None:
        return "unknown (no CRS)" if info.grid.crs is None else "unknown (its CRS has no place on Earth)"
    down, along = info.gsd_m
    square = abs(down - along) <= 0.02 * max(down, along)
    return f"{(down * along) ** 0.5:.3g} m" if square else f"{down:.3g} m down, {along:.3g} m along"


def device_text(plan: Plan, name: str = "") -> str:
    """Where and how the network runs."""
    where = f"{plan.device} ({name})" if name else plan.device
    return f"{where}, {plan.runtime}, {plan.precision}"


def plan_text(plan: Plan, estimate: Estimate) -> str:
    """A plan in one line."""
    height, width = plan.patches.patch
    grid = f" on a grid of {size_text(plan.network.size)}" if plan.resamples else ""
    return (
        f"{counted(len(plan.patches), 'patch')} of {height}x{width}{grid}, {plan.batch} at once, "
        f"up to {bytes_text(estimate.memory)} of memory and {bytes_text(estimate.disk)} of disk"
    )
