"""Figures for people: rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

Row = tuple[str, str, str, str, str, str]
PIXEL_HEAD: Row = ("pixels", "IoU", "F1", "precision", "recall", "boundary IoU")


def percent(value: float | None) -> str:
    """A share as people write it; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:.1f} %"


def summary(told: Mapping[str, Any]) -> Iterator[Row]:
    """The most important figures of an evaluation.

    Args:
        told: :meth:`Evaluation.to_json`.
    """
    pixels = told["total"].get("pixels")
    if pixels:
        yield from _pixel_rows(pixels)


def _pixel_rows(pixels: Mapping[str, Any]) -> Iterator[Row]:
    yield PIXEL_HEAD
    pooled = pixels["pooled"]
    for name, scores in pooled["classes"].items():
        yield _scores(name, scores)
    if len(pooled["classes"]) > 2:
        yield _scores("mean without background", pooled["mean_without_background"])
    yield _scores("mean", pooled["mean"])


def _scores(name: str, scores: Mapping[str, Any]) -> Row:
    iou, f1, precision, recall, boundary = (
        percent(scores[key]) for key in ("iou", "f1", "precision", "recall", "boundary_iou")
    )
    return name, iou, f1, precision, recall, boundary
