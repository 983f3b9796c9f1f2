"""Figures of a training run as pictures."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from geoseg.core.files import PendingFile, writing

_INK, _BLUE, _RED, _GREY = "#222222", "#2a6f97", "#c8553d", "#8a8a8a"


def draw_curves(target: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Losses, IoU and learning rate over the epochs; an earlier picture is replaced.

    Args:
        target: a PNG.
        rows: one an epoch, with ``epoch``, ``train_loss``, ``valid_loss``, ``iou`` and ``rate``.

    Raises:
        OutputError: it cannot be written.
    """
    figure = Figure(figsize=(9, 3), layout="constrained")
    FigureCanvasAgg(figure)
    loss, iou, rate = figure.subplots(1, 3)
    epochs = [row["epoch"] for row in rows]
    _line(loss, epochs, [row["train_loss"] for row in rows], _BLUE, "training")
    _line(loss, epochs, [row["valid_loss"] for row in rows], _RED, "validation")
    loss.legend(frameon=False, fontsize=8)
    values = [row["iou"] for row in rows]
    _line(iou, epochs, values, _RED, "validation")
    known = [k for k, value in enumerate(values) if not math.isnan(value)]
    if known:  # validation images may show no class
        best = max(known, key=values.__getitem__)
        iou.plot(epochs[best], values[best], "o", color=_RED, markersize=4)
        at, place = (epochs[best], values[best]), "right" if best > len(values) / 2 else "left"
        iou.annotate(f"{values[best]:.3f}", at, (0, -14), textcoords="offset points", ha=place, fontsize=8)
    _line(rate, epochs, [row["rate"] for row in rows], _GREY, "")
    for axes, title in ((loss, "loss"), (iou, "IoU"), (rate, "learning rate")):
        _dress(axes, title, "epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
    _save(figure, target)


def draw_rates(target: Path, rates: Sequence[float], losses: Sequence[float], suggestion: float) -> None:
    """The range test: loss over learning rate, and the rate to take; an earlier picture is replaced.

    Raises:
        OutputError: it cannot be written.
    """
    figure = Figure(figsize=(5, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    _line(axes, rates, losses, _BLUE, "")
    axes.set_xscale("log")
    axes.axvline(suggestion, color=_RED, linewidth=1)
    top = axes.get_ylim()[1]
    axes.annotate(f" {suggestion:.2g}", (suggestion, top), va="top", color=_RED, fontsize=9)
    _dress(axes, "loss in the range test", "learning rate")
    _save(figure, target)


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], colour: str, label: str) -> None:
    axes.plot(x, y, color=colour, linewidth=1.6, label=label, marker="." if len(x) < 3 else "")


def _dress(axes: Axes, title: str, below: str) -> None:
    axes.set_title(title, fontsize=10, color=_INK)
    axes.set_xlabel(below, fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def _save(figure: Figure, target: Path) -> None:
    with PendingFile(target, overwrite=True) as pending:
        with writing(target):
            figure.savefig(pending.temp, dpi=120)
        pending.commit()
