"""Figures of footprints: found and missed, how well they fit, by class and by size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import ClassList
from geoseg.evaluate.blocks import bootstrap
from geoseg.evaluate.table import FootprintTable
from geoseg.metrics.coco import Detections, average_precision, has_coco
from geoseg.metrics.footprints import FootprintScore
from geoseg.metrics.match import match
from geoseg.metrics.shape import complexity_aware_iou

IOUS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))
SIZES_M2 = (25.0, 100.0, 500.0)
"""Sheds, small and large houses, blocks and halls."""
SIZES_PX = (1024.0, 9216.0)
"""COCO's small, medium and large."""
HALF = 0.5
"""Of an object that lies in a proposal, or the other way round, for the two to be merged or split."""

Longs = npt.NDArray[np.int64]


def footprint_figures(
    table: FootprintTable, classes: ClassList, in_metres: bool, draws: tuple[int, int]
) -> dict[str, Any]:
    """All figures as plain values.

    Args:
        table: of one scene or several.
        classes: of its labels.
        in_metres: whether areas are square metres; else square pixels.
        draws: of the bootstrap, and their seed.
    """
    score = _count(table, table.matched)
    present = np.unique(np.r_[table.proposals.label, table.truth.label]).tolist()
    by_class = {c.name: _score_json(_count(table, table.matched, c.id)) for c in classes if c.id in present}
    missing = _no_order(table)
    edges = SIZES_M2 if in_metres else SIZES_PX
    return {
        "proposals": len(table.proposals),
        "truth": len(table.truth),
        "iou_0.5": _score_json(score) | {"f1_interval": _f1_interval(table, draws)},
        "f1_mean_of_scenes": _mean_of_scenes(table),
        "classes": by_class,
        "by_iou": _by_iou(table),
        "coco": None if missing else _coco(table, edges),
        "coco_missing": missing,
        "merged": _merged(table),
        "split": _split(table),
        "count": _difference(len(table.proposals), len(table.truth)),
        "area": {"unit": "m2" if in_metres else "px2"}
        | _difference(float(table.proposals.area.sum()), float(table.truth.area.sum())),
        "matched": _fit(table, "m" if in_metres else "px"),
        "by_size": _by_size(table, edges),
    }


def _count(table: FootprintTable, matched: Longs, label: int | None = None) -> FootprintScore:
    proposals = np.ones(len(table.proposals), bool) if label is None else table.proposals.label == label
    objects = len(table.truth) if label is None else int((table.truth.label == label).sum())
    found = int((matched[proposals] >= 0).sum())
    return FootprintScore(found, int(proposals.sum()) - found, objects - found)


def _score_json(score: FootprintScore) -> dict[str, Any]:
    return {
        "true_positives": score.true_positives,
        "false_positives": score.false_positives,
        "false_negatives": score.false_negatives,
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
    }


def block_counts(table: FootprintTable) -> npt.NDArray[np.int64]:
    """Matched, false and missed objects of each block where there is anything: ``(blocks, 3)``."""
    counts = np.zeros((table.blocks, 3), np.int64)
    right = table.matched >= 0
    missed = np.ones(len(table.truth), bool)
    missed[table.matched[right]] = False
    for column, blocks in enumerate(
        (table.proposals.block[right], table.proposals.block[~right], table.truth.block[missed])
    ):
        counts[:, column] = np.bincount(blocks, minlength=table.blocks)
    return counts[counts.any(axis=1)]


def _f1(counts: npt.NDArray[np.int64]) -> float:
    right, wrong, missed = (int(n) for n in counts)
    total = 2 * right + wrong + missed
    return 2 * right / total if total else float("nan")


def _f1_interval(table: FootprintTable, draws: tuple[int, int]) -> list[float]:
    interval = bootstrap(block_counts(table), _f1, *draws)
    return [interval.low, interval.high]


def _mean_of_scenes(table: FootprintTable) -> float:
    """SpaceNet's own figure: F1 of each scene, averaged; scenes without anything are left out."""
    values = []
    for scene in np.unique(np.r_[table.proposals.scene, table.truth.scene]):
        proposals = table.proposals.scene == scene
        found = int((table.matched[proposals] >= 0).sum())
        values.append(2 * found / (int(proposals.sum()) + int((table.truth.scene == scene).sum())))
    return float(np.mean(values)) if values else float("nan")


def _by_iou(table: FootprintTable) -> dict[str, Any]:
    points = []
    for iou in IOUS:
        score = _count(table, match(table.overlaps, table.confidence, len(table.truth), iou))
        points.append({"iou": iou, "precision": score.precision, "recall": score.recall, "f1": score.f1})
    return {"f1_mean": float(np.mean([point["f1"] for point in points])), "points": points}


def _no_order(table: FootprintTable) -> str:
    """Why there is no AP, which averages in the order of confidence; empty where there is one."""
    unknown = int(np.isnan(table.confidence).sum())
    if not len(table.proposals):
        return "there are no outlines"
    if unknown == len(table.proposals):
        return "the outlines have no confidence"
    if unknown:
        return f"{unknown:,} of {len(table.proposals):,} outlines have no confidence"
    return "" if has_coco() else "pycocotools is not installed: pip install pycocotools"


def _coco(table: FootprintTable, edges: Sequence[float]) -> dict[str, Any]:
    found = Detections(
        table.proposals.label,
        table.confidence,
        table.proposals.area,
        table.truth.label,
        table.truth.area,
        table.overlaps,
    )
    result = average_precision(found, list(_ranges(edges)))
    return {
        "ap": result.ap,
        "ap50": result.ap50,
        "ap75": result.ap75,
        "by_size": list(result.by_size),
        "max_detections": "all",
    }


def _ranges(edges: Sequence[float]) -> list[tuple[float, float]]:
    return list(zip((0.0, *edges), (*edges, 1e15), strict=True))


def _merged(table: FootprintTable) -> dict[str, int]:
    """Proposals that hold more than half of each of two or more objects."""
    swallowed = table.overlaps.proposal[table.overlaps.of_truth > HALF]
    many = np.bincount(swallowed, minlength=len(table.proposals))
    return {"proposals": int((many > 1).sum()), "objects": int(many[many > 1].sum())}


def _split(table: FootprintTable) -> dict[str, int]:
    """Objects in which two or more proposals lie with more than half of themselves."""
    pieces = table.overlaps.truth[table.overlaps.of_proposal > HALF]
    many = np.bincount(pieces, minlength=len(table.truth))
    return {"objects": int((many > 1).sum()), "proposals": int(many[many > 1].sum())}


def _difference(found: float, true: float) -> dict[str, Any]:
    return {
        "proposals": found,
        "truth": true,
        "error": found - true,
        "relative_error": (found - true) / true if true else float("nan"),
    }


def _fit(table: FootprintTable, unit: str) -> dict[str, Any]:
    found, true = table.matched_pairs
    if not len(found):
        return {"pairs": 0}
    iou = table.matched_iou()
    corners, true_corners = table.proposals.vertices[found], table.truth.vertices[true]
    error = table.proposals.area[found] / table.truth.area[true] - 1
    return {
        "pairs": len(found),
        "iou_mean": float(iou.mean()),
        f"polis_mean_{unit}": float(table.polis[found].mean()),
        f"polis_median_{unit}": float(np.median(table.polis[found])),
        "c_iou_mean": float(complexity_aware_iou(iou, corners, true_corners).mean()),
        "vertices": {"proposals": int(corners.sum()), "truth": int(true_corners.sum())},
        "area_error_median": float(np.median(error)),
        "area_error_mean_absolute": float(np.abs(error).mean()),
    }


def _by_size(table: FootprintTable, edges: Sequence[float]) -> list[dict[str, Any]]:
    """Recall by size of the truth, precision by size of the proposals."""
    _, true = table.matched_pairs
    hit = np.zeros(len(table.truth), bool)
    hit[true] = True
    rows = []
    for low, high in _ranges(edges):
        objects = (table.truth.area >= low) & (table.truth.area < high)
        proposals = (table.proposals.area >= low) & (table.proposals.area < high)
        right = int((table.matched[proposals] >= 0).sum())
        rows.append(
            {
                "from": low,
                "to": high if high < 1e15 else None,
                "truth": int(objects.sum()),
                "found": int(hit[objects].sum()),
                "recall": _share(int(hit[objects].sum()), int(objects.sum())),
                "proposals": int(proposals.sum()),
                "right": right,
                "precision": _share(right, int(proposals.sum())),
            }
        )
    return rows


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
