"""Sections of the report: objects, pixels, probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from geoseg.evaluate.formatting import percent
from geoseg.report.charts import Axes, Line, line_chart, matrix
from geoseg.report.page import Section, drawing, paragraph, table

BLUE, ORANGE, GREY = "#2f7bff", "#e8590c", "#868e96"
ACCENT = "var(--accent)"
IOU_TICKS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
NAMES = {"f1": "F1"}
SQUARED = {"m2": "m²", "px2": "px²"}
Told = Mapping[str, Any]


def object_section(told: Told) -> str:
    """Objects found and missed: by class, IoU and size, and how well they fit."""
    rows = [_score_row(name, score) for name, score in told["classes"].items()]
    if len(rows) > 1:
        rows.append(_score_row("all", told["iou_0.5"]))
    head = ("IoU over 0.5", "F1", "precision", "recall", "found", "missed", "false")
    body = table(head, rows, range(1, 7))
    points = told["by_iou"]["points"]
    chart = line_chart(
        Axes("IoU that a match must exceed", "score", IOU_TICKS),
        [
            Line(NAMES.get(name, name), colour, [(p["iou"], _number(p[name])) for p in points])
            for name, colour in (("precision", BLUE), ("recall", ORANGE), ("f1", ACCENT))
        ],
        alt="Precision, recall and F1 by the IoU that a match must exceed",
    )
    mean = percent(told["by_iou"]["f1_mean"])
    body += drawing(chart, f"The stricter the match, the fewer: the mean F1 over IoU 0.50 to 0.95 is {mean}.")
    return body + "<h3>By size</h3>" + _sizes(told) + "<h3>Shape, number and area</h3>" + _shapes(told)


def _score_row(name: str, score: Told) -> tuple[str, ...]:
    counts = ("true_positives", "false_negatives", "false_positives")
    shares = ("f1", "precision", "recall")
    return name, *(percent(score[key]) for key in shares), *(f"{score[key]:,}" for key in counts)


def _sizes(told: Told) -> str:
    squared, coco = SQUARED[told["area"]["unit"]], told["coco"]
    rows = []
    for i, row in enumerate(told["by_size"]):
        name = f"from {row['from']:g}" if row["to"] is None else f"{row['from']:g} to {row['to']:g}"
        counts = (
            f"{row['truth']:,}",
            percent(row["recall"]),
            f"{row['proposals']:,}",
            percent(row["precision"]),
        )
        rows.append((f"{name} {squared}", *counts, *([percent(coco["by_size"][i])] if coco else [])))
    head = ("size", "objects", "recall", "outlines", "precision", *(["AP"] if coco else []))
    return table(head, rows, range(1, len(head)))


def _shapes(told: Told) -> str:
    fit, area, count, coco = told["matched"], told["area"], told["count"], told["coco"]
    squared, merged, split = SQUARED[area["unit"]], told["merged"], told["split"]
    rows = [
        (
            f"number: {count['proposals']:,} outlines, {count['truth']:,} objects",
            signed_percent(count["relative_error"]),
        ),
        (
            f"total area: {area['proposals']:,.0f} {squared} found, {area['truth']:,.0f} {squared} there",
            signed_percent(area["relative_error"]),
        ),
        ("merged: outlines that hold several objects", f"{merged['proposals']:,} hold {merged['objects']:,}"),
        ("split: objects that lie in several outlines", f"{split['objects']:,} in {split['proposals']:,}"),
    ]
    if fit["pairs"]:
        rows += _fit_rows(fit)
    if coco:
        words = f"{percent(coco['ap'])}, {percent(coco['ap50'])}, {percent(coco['ap75'])}"
        rows.append(("COCO AP: IoU 0.50:0.95, at 0.50, at 0.75", words))
    else:
        rows.append((f"COCO AP: none, {told['coco_missing']}", "-"))
    return f'<div class="shapes">{table(("figure", "value"), rows, (1,))}</div>'


def _fit_rows(fit: Told) -> list[tuple[str, str]]:
    length, corners = unit(fit), fit["vertices"]
    median, mean = (f"{fit[f'polis_{kind}_{length}']:.2f} {length}" for kind in ("median", "mean"))
    error = f"{signed_percent(fit['area_error_median'])}, {percent(fit['area_error_mean_absolute'])}"
    vertices = f"{corners['proposals']:,}, {corners['truth']:,}"
    return [
        ("PoLiS: distance of matched outlines, median and mean", f"{median}, {mean}"),
        ("C-IoU: IoU lowered by a wrong number of vertices", percent(fit["c_iou_mean"])),
        ("vertices of matched outlines, and of their objects", vertices),
        ("area of matched outlines: median error, mean absolute error", error),
    ]


def pixel_section(told: Told) -> str:
    """Scores of pixels, pooled and patch by patch, and the confusion matrix."""
    pooled, patches = told["pooled"], told["patch_mean"]
    rows = [_pixel_row(name, scores) for name, scores in pooled["classes"].items()]
    rows.append(_pixel_row("mean", pooled["mean"]))
    if len(pooled["classes"]) > 2:
        rows.append(_pixel_row("mean without background", pooled["mean_without_background"]))
    head = ("all pixels pooled", "IoU", "95 % interval", "F1", "precision", "recall", "Boundary IoU")
    body = table(head, rows, range(1, 7))
    sides = " or ".join(f"{side:,}" for side in patches["side_px"])
    small = [
        (name, *(percent(scores[key]) for key in ("iou", "f1", "precision", "recall")))
        for name, scores in patches["classes"].items()
    ]
    body += f"<h3>Mean of {patches['patches']:,} patches of {sides} px</h3>"
    body += table(("patch-wise mean", "IoU", "F1", "precision", "recall"), small, range(1, 5))
    body += paragraph(
        "A patch counts as much as another, however little is in it; a class that is neither there nor "
        "predicted has no score in a patch.",
        "soft",
    )
    body += "<h3>What was taken for what</h3>" + matrix(list(pooled["classes"]), told["confusion"]["counts"])
    return body


def _pixel_row(name: str, scores: Told) -> tuple[str, ...]:
    keys = ("f1", "precision", "recall", "boundary_iou")
    sure = interval(scores["iou_interval"]) if "iou_interval" in scores else ""
    return name, percent(scores["iou"]), sure.removesuffix(" (95 %)"), *(percent(scores[k]) for k in keys)


def probability_sections(total: Told) -> Iterator[Section]:
    """Calibration and thresholds, where there are probabilities."""
    pixels = total["pixels"]
    if "calibration" not in pixels:
        return
    bins = [b for b in pixels["calibration"]["bins"] if b["pixels"]]
    most = max((b["pixels"] for b in bins), default=1)
    chart = line_chart(
        Axes("confidence", "share that is right", names_above=True),
        [
            Line("perfect", GREY, [(0, 0), (1, 1)], dashed=True),
            Line(
                "measured",
                ACCENT,
                [(b["confidence"], b["accuracy"]) for b in bins],
                dots=[2 + 7 * math.sqrt(b["pixels"] / most) for b in bins],
            ),
        ],
        alt="Reliability curve",
    )
    error = percent(pixels["calibration"]["ece"])
    words = f"Expected calibration error: {error}. Larger dots stand for more pixels."
    charts = drawing(chart, words) + _sweep(pixels)
    yield Section("Probabilities", f'<div class="charts">{charts}</div>')


def _sweep(pixels: Told) -> str:
    """What each threshold gives in pixels; objects depend on how a run separates and draws them."""
    swept, mark = pixels.get("threshold_sweep"), None
    if not swept:
        return ""
    best = swept["best"]
    if best:
        mark = (best["threshold"], best["f1"]), f"{best['threshold']:.2f}: F1 {percent(best['f1'])}"
    lines = [
        Line(NAMES.get(key, key), colour, [(p["threshold"], _number(p[key])) for p in swept["points"]])
        for key, colour in (("precision", BLUE), ("recall", ORANGE), ("f1", ACCENT))
    ]
    chart = line_chart(Axes("threshold", "score"), lines, mark, "Scores of pixels by threshold")
    return drawing(chart, "What each threshold gives: pixels.")


def _number(value: float | None) -> float:
    return math.nan if value is None else value


def unit(fit: Told) -> str:
    """Of distances: ``m``, ``px``, or empty where nothing matched."""
    return next((unit for unit in ("m", "px") if f"polis_median_{unit}" in fit), "")


def interval(pair: Sequence[float | None]) -> str:
    """An interval as people write it."""
    low, high = pair
    if low is None or high is None or math.isnan(low):
        return "too small for an interval"
    return f"{100 * low:.1f} to {100 * high:.1f} % (95 %)"


def signed_percent(value: float | None) -> str:
    """A share with its sign; a dash where there is none."""
    return "-" if value is None or math.isnan(value) else f"{100 * value:+.1f} %"
