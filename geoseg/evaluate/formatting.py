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
    total = told["total"]
    if "pixels" in total:
        yield from _pixel_rows(total["pixels"])
    if "footprints" in total:
        yield from _footprint_rows(total["footprints"])


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


def _footprint_rows(footprints: Mapping[str, Any]) -> Iterator[Row]:
    coco, fit = footprints["coco"], footprints["matched"]
    yield "footprints", "mean IoU", "F1", "precision", "recall", "found of all"
    for name, score in footprints["classes"].items():
        yield _object_scores(name, score, "")
    score = footprints["iou_0.5"]
    yield _object_scores("all, IoU over 0.5", score, percent(fit.get("iou_mean")))
    yield "F1 over 0.5:0.95", "", percent(footprints["by_iou"]["f1_mean"]), "", "", ""
    if coco is not None:
        ap, ap50, ap75 = (percent(coco[key]) for key in ("ap", "ap50", "ap75"))
        yield "COCO: AP, AP50, AP75", ap, ap50, ap75, "", ""
    else:
        yield "COCO: AP", "-", "", "", "", footprints["coco_missing"]


def _object_scores(name: str, score: Mapping[str, Any], iou: str) -> Row:
    found = f"{score['true_positives']:,} of {score['true_positives'] + score['false_negatives']:,}"
    return name, iou, percent(score["f1"]), percent(score["precision"]), percent(score["recall"]), found
