"""The report: one page that tells what was found, what was missed, and how that was measured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from geoseg.evaluate.formatting import percent
from geoseg.evaluate.maps import ERRORS, FOUND, MISSED
from geoseg.evaluate.pictures import Marked, draw_crop, draw_overview
from geoseg.evaluate.run import Evaluation, SceneResult
from geoseg.evaluate.sections import (
    interval,
    object_section,
    pixel_section,
    probability_sections,
    signed_percent,
    unit,
)
from geoseg.report.page import Page, Section, figure, figures, gallery, legend, paragraph, table

MOST_SCENES, MOST_CROPS = 4, 6
"""Of which there are pictures: those with the lowest scores."""
MOST_NOTES = 12
MOST_ROWS = 200
"""Of the table of scenes."""
TALL = 1.2
"""From this height by width on, a picture of a single scene has others at its side."""
STYLE = """
.sign { display: grid; grid-template-columns: repeat(auto-fit, minmax(200px, 1fr)); gap: 8px 32px; }
.sign div { margin-top: 44px; border-top: 1px solid; padding-top: 4px; }
.sign div { font-size: .8125rem; color: var(--soft); }
.gallery { grid-template-columns: repeat(auto-fill, minmax(min(300px, 100%), 1fr)); }
.charts { display: grid; gap: 20px 32px; }
.charts { grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
tbody th { text-align: left; }
td:first-child { white-space: nowrap; }
.shapes td:first-child { white-space: normal; }
section > figure, .gallery { margin-bottom: 16px; }
.beside { display: flex; gap: 24px; align-items: flex-start; }
.beside > figure { flex: 0 1 44%; }
.beside > div { flex: 1; min-width: 0; }
.beside h3 { margin-top: 0; }
.beside .gallery { grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); }
@media (max-width: 800px) { .beside { display: block; } .beside h3 { margin-top: 16px; } }
"""
Told = Mapping[str, Any]


def build_page(evaluation: Evaluation, told: Told) -> Page:
    """The whole report.

    Args:
        evaluation: finished.
        told: its figures, as plain values.
    """
    total = told["total"]
    sections = [Section("", _summary(evaluation, total))]
    pictures = _pictures(evaluation)
    if pictures:
        sections.append(Section("Where it is right and wrong", pictures))
    if "footprints" in total:
        sections.append(Section("Objects", object_section(total["footprints"])))
    if "pixels" in total:
        sections.append(Section("Pixels", pixel_section(total["pixels"])))
        sections += probability_sections(total)
    if len(evaluation.scenes) > 1:
        sections.append(Section("Scenes", _scenes(told["scenes"])))
    sections.append(Section("How it was measured", _method(evaluation, told)))
    sections.append(Section("Signed", _sign()))
    names = ", ".join(scene.files.name for scene in evaluation.scenes[:3])
    more = f" and {len(evaluation.scenes) - 3} more" if len(evaluation.scenes) > 3 else ""
    lead = f"Compared with the truth on {date.today().isoformat()} by geoseg {told['geoseg']}."
    return Page(f"Evaluation of {names}{more}", sections, lead, style=STYLE)


def _summary(evaluation: Evaluation, total: Told) -> str:
    items, words = [], []
    if "footprints" in total:
        items += _object_items(total["footprints"])
        words.append(_object_words(total["footprints"]))
    if "pixels" in total:
        items += _pixel_items(evaluation, total["pixels"])
    return "".join(paragraph(text) for text in words) + figures(items)


def _object_items(told: Told) -> list[tuple[str, str, str]]:
    score = told["iou_0.5"]
    return [
        ("F1 of objects", percent(score["f1"]), interval(score["f1_interval"])),
        ("recall", percent(score["recall"]), f"of {told['truth']:,} objects were found"),
        ("precision", percent(score["precision"]), f"of {told['proposals']:,} outlines match an object"),
        ("area", signed_percent(told["area"]["relative_error"]), "in total, against the truth"),
    ]


def _object_words(told: Told) -> str:
    score, fit = told["iou_0.5"], told["matched"]
    text = (
        f"Of {told['truth']:,} objects in the truth {score['true_positives']:,} were found and "
        f"{score['false_negatives']:,} missed; {score['false_positives']:,} of {told['proposals']:,} "
        "outlines match no object."
    )
    length = unit(fit)
    if length:
        text += (
            f" Outlines that match lie {fit[f'polis_median_{length}']:.2f} {length} from the true ones "
            f"(median) and share {percent(fit['iou_mean'])} of their area with them."
        )
    return text


def _pixel_items(evaluation: Evaluation, told: Told) -> list[tuple[str, str, str]]:
    pooled = told["pooled"]
    if evaluation.classes.is_binary:
        scores = pooled["classes"][evaluation.classes[1].name]
        return [
            ("IoU of pixels", percent(scores["iou"]), interval(scores["iou_interval"])),
            ("Boundary IoU", percent(scores["boundary_iou"]), "how well outlines fit"),
        ]
    return [
        ("mean IoU", percent(pooled["mean"]["iou"]), f"of {len(evaluation.classes)} classes, pixels pooled"),
        ("mean F1", percent(pooled["mean"]["f1"]), "of all classes"),
        ("accuracy", percent(told["accuracy"]), "of pixels"),
        ("Boundary IoU", percent(pooled["mean"]["boundary_iou"]), "mean: how well outlines fit"),
    ]


def _pictures(evaluation: Evaluation) -> str:
    drawable = [scene for scene in evaluation.scenes if scene.sketch is not None]
    overviews: list[tuple[str, bool]] = []
    crops: list[str] = []
    for scene in sorted(drawable, key=_accuracy)[:MOST_SCENES]:
        assert scene.sketch is not None
        marked = Marked.of(scene.footprints, scene.sketch.grid) if scene.footprints else None
        picture = draw_overview(scene.files, scene.sketch, marked)
        tall = picture.shape[0] > TALL * picture.shape[1]
        overviews.append((figure(picture, _caption(scene, marked)), tall))
        if marked is not None and scene.files.image is not None:
            for window in scene.sketch.worst[: MOST_CROPS - len(crops)]:
                picture, words = draw_crop(scene.files, scene.sketch.grid, window, marked)
                where = f"{scene.files.name}, row {window.row:,}, column {window.col:,}: {words}"
                crops.append(figure(picture, where))
    if not overviews:
        return ""
    last = MISSED if evaluation.classes.is_binary else len(ERRORS) - 1
    body = legend(ERRORS.classes[FOUND : last + 1])
    if len(drawable) > MOST_SCENES:
        few = f"Of {len(drawable)} scenes, the {MOST_SCENES} in which most pixels are wrong."
        body += paragraph(few, "soft")
    shown = gallery(p for p, _ in overviews) if len(overviews) > 1 else overviews[0][0]
    if not crops:
        return body + shown
    details = "<h3>Where most pixels are wrong</h3>" + gallery(crops)
    if len(overviews) == 1 and overviews[0][1]:
        return f'{body}<div class="beside">{shown}<div>{details}</div></div>'
    return body + shown + details


def _accuracy(scene: SceneResult) -> float:
    return scene.pixels.pooled.accuracy if scene.pixels is not None else 1.0


def _caption(scene: SceneResult, marked: Marked | None) -> str:
    if marked is None:
        return scene.files.name
    kind = "outlines" if scene.files.image is not None else "pixels; objects"
    return f"{scene.files.name}, {kind}: {marked.words()}"


def _scenes(scenes: Sequence[Told]) -> str:
    head = ("scene", "mean IoU", "accuracy", "F1 of objects", "found", "missed", "false")
    columns = len(head) if any("footprints" in scene for scene in scenes) else 3
    rows = [_scene_row(scene)[:columns] for scene in scenes[:MOST_ROWS]]
    body = table(head[:columns], rows, range(1, columns))
    if len(scenes) > MOST_ROWS:
        body += paragraph(f"The first {MOST_ROWS} of {len(scenes)}; evaluation.json has all.", "soft")
    return body


def _scene_row(scene: Told) -> tuple[str, ...]:
    pixels, objects = scene.get("pixels"), scene.get("footprints")
    first = (percent(pixels["pooled"]["mean"]["iou"]), percent(pixels["accuracy"])) if pixels else ("", "")
    if not objects:
        return scene["name"], *first, "", "", "", ""
    score = objects["iou_0.5"]
    counts = ("true_positives", "false_negatives", "false_positives")
    return scene["name"], *first, percent(score["f1"]), *(f"{score[key]:,}" for key in counts)


def _method(evaluation: Evaluation, told: Told) -> str:
    files = [
        (what, Path(scene[what]).name)
        for scene in told["scenes"][:MOST_SCENES]
        for what in ("prediction", "truth", "polygons", "probabilities", "image")
        if what in scene
    ]
    body = table(("", "file"), files)
    notes = list(dict.fromkeys(note for scene in told["scenes"] for note in scene["notes"]))
    body += "".join(paragraph(note, "soft") for note in notes[:MOST_NOTES])
    return body + "".join(paragraph(text) for text in _definitions(evaluation, told))


def _definitions(evaluation: Evaluation, told: Told) -> Iterator[str]:
    options, total = told["options"], told["total"]
    if options["area_limited"]:
        yield "Only the area of interest counts; objects are cut at its border."
    if "pixels" in total:
        yield _about_pixels(total["pixels"])
    if "footprints" in total:
        sources = {scene.footprints.source for scene in evaluation.scenes if scene.footprints}
        yield _about_objects(
            sources.pop() if len(sources) == 1 else "one file a scene", options["min_area_m2"]
        )
    yield (
        f"Intervals hold 95 % of {options['resamples']:,} draws of blocks with replacement (seed "
        f"{options['seed']}): how far the figures could lie apart in other places of this kind."
    )


def _about_pixels(told: Told) -> str:
    distance = " or ".join(str(d) for d in told["boundary"]["distance_px"])
    tile = " or ".join(f"{w} x {h}" for h, w in told["boundary"]["tile_px"])
    return (
        f"Pixels are compared one by one, {told['pixels']:,} of them. Those for which the prediction has no "
        f"data ({told['without_prediction']:,}) count as background. Boundary IoU (Cheng et al. 2021) "
        f"compares what lies within {distance} px of an outline: 2 % of the diagonal of a tile of {tile} px."
    )


def _about_objects(source: str, min_area_m2: float) -> str:
    smallest = f" Objects below {min_area_m2:g} m² are left out." if min_area_m2 else ""
    return (
        f"Objects ({source}) are matched by SpaceNet's rule: the surest first, each takes the free object of "
        f"highest IoU, and matches if that is over the threshold.{smallest} COCO's AP takes all detections, "
        "not only the first 100. PoLiS (Avbelj et al. 2015) is the mean distance of vertices to the other "
        "outline; C-IoU is that of Zorzi et al. (2022). An outline is merged if it holds more than half of "
        "each of several objects; an object is split if several outlines lie in it by more than half."
    )


def _sign() -> str:
    lines = "".join(f"<div>{name}</div>" for name in ("Name", "Place and date", "Signature"))
    return f'<div class="sign">{lines}</div>'
