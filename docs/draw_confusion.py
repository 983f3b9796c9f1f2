"""Draw confusion matrices of reports, side by side, for docs/training.md.

Needs matplotlib, which comes with the extra `prepare`::

    python docs/draw_confusion.py CamVid=camvid/evaluation.json Dubai=dubai/evaluation.json
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

TARGET = Path(__file__).resolve().parent / "pictures" / "confusion.png"
DARK = 0.5
"""Share from which a cell is so dark that its figure is white."""


def main(reports: list[str]) -> None:
    """One matrix for each ``NAME=FILE``."""
    mpl.use("Agg")
    read = [report.split("=", 1) for report in reports]
    found = [(name, json.loads(Path(path).read_text(encoding="utf-8"))) for name, path in read]
    sides = [len(_matrix(report)[0]) + 3 for _, report in found]
    figure, axes = pyplot.subplots(
        1, len(found), width_ratios=sides, figsize=(0.52 * sum(sides), 0.48 * max(sides)), squeeze=False
    )
    for panel, (name, report) in zip(axes[0], found, strict=True):
        _draw(panel, name, *_matrix(report))
    figure.tight_layout()
    figure.savefig(TARGET, dpi=110)


def _matrix(report: dict) -> tuple[list[str], np.ndarray]:
    """Classes that occur in the truth, and the share of each class's pixels given to each."""
    pixels = report["total"]["pixels"]
    counts = np.array(pixels["confusion"]["counts"], float)
    there = counts.sum(axis=1) > 0
    names = [name for name, occurs in zip(pixels["pooled"]["classes"], there, strict=True) if occurs]
    counts = counts[there][:, there]
    return names, counts / counts.sum(axis=1, keepdims=True)


def _draw(panel: Axes, name: str, classes: list[str], shares: np.ndarray) -> None:
    panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for row, col in np.argwhere(shares >= 0.005):
        colour = "white" if shares[row, col] > DARK else "black"
        panel.text(
            col, row, f"{100 * shares[row, col]:.0f}", ha="center", va="center", color=colour, size=7.5
        )
    panel.set_xticks(range(len(classes)), classes, rotation=60, ha="right", size=8)
    panel.set_yticks(range(len(classes)), classes, size=8)
    panel.set(xlabel="prediction", ylabel="truth", title=f"{name}: % of each class")


if __name__ == "__main__":
    main(sys.argv[1:])
