"""Results against ground truth: :func:`evaluate`."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geoseg.evaluate.area import limit_scenes
from geoseg.evaluate.find import Given, find_scenes
from geoseg.evaluate.formatting import summary
from geoseg.evaluate.options import EvaluateListener, EvaluateOptions, Layers
from geoseg.evaluate.run import evaluate as compare
from geoseg.evaluate.write import EvaluationFiles
from geoseg.library.areas import AREA, box_text
from geoseg.library.keywords import check_names
from geoseg.library.progress import Progress
from geoseg.raster.labelling import ValueOptions
from geoseg.vector.formats.layers import Layer

LOG = logging.getLogger("geoseg")
FILES = ("scene", "probabilities", "polygons")
VALUES = ("value", "band", "threshold", "truth_value", "truth_band", "alpha")
OPTIONS = {*FILES, *VALUES, *AREA, "layer", "truth_layer", "class_name", "min_area_m2", "footprints", "seed"}
OPTIONS |= {"overwrite", "progress"}


@dataclass(frozen=True, repr=False)
class Metrics:
    """What :func:`geoseg.evaluate` has found, over all scenes.

    Attributes:
        pixels: ``iou``, ``f1``, ``precision``, ``recall`` and ``boundary_iou`` from 0 to 1 by class name;
            empty where no pixels were compared.
        footprints: metrics of objects, such as ``footprints["iou_0.5"]["f1"]``; empty where none were
            compared.
        notes: what was taken for what, a line each.
        outputs: the files of the report.
    """

    results: Mapping[str, Any]
    outputs: tuple[Path, ...] = ()

    @property
    def pixels(self) -> dict[str, Any]:
        """Pixel metrics by class name."""
        return dict(self.results["total"].get("pixels", {}).get("pooled", {}).get("classes", {}))

    @property
    def footprints(self) -> dict[str, Any]:
        """Object metrics."""
        return dict(self.results["total"].get("footprints", {}))

    @property
    def notes(self) -> tuple[str, ...]:
        """What was taken for what."""
        return tuple(note for scene in self.results["scenes"] for note in scene["notes"])

    def to_dict(self) -> dict[str, Any]:
        """All metrics as plain values, as ``geoseg evaluate --json`` prints them."""
        return dict(self.results) | {"outputs": [str(path) for path in self.outputs]}

    def __repr__(self) -> str:
        rows = list(summary(self.results))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        lines = [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows
        ]
        return "\n".join(line.rstrip() for line in lines)


def evaluate(
    prediction: str | os.PathLike[str],
    truth: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Metrics:
    """Compare results with ground truth, as ``geoseg evaluate`` does.

    Args:
        prediction: a mask, probabilities or polygons, of geoseg or any other program; or a folder of them.
        truth: a mask or polygons; or a folder of them.
        out: folder for a report, all metrics and maps of the errors; None: no files.
        options: those of the command: ``min_area_m2``, ``class_name`` (``--class``), ``value={255: "roof"}``,
            ``truth_value``, ``band``, ``threshold``, ``layer``, ``scene``, ``aoi``, ``bbox``, ``overwrite``,
            ...; and ``progress``.

    Raises:
        GeosegError: if something cannot be read or compared.
        TypeError: an option that does not exist.
    """
    check_names("evaluate", options, OPTIONS)
    layers = Layers(Layer(options.get("layer")), Layer(options.get("truth_layer"), "--truth-layer"))
    scene, probabilities, polygons = (Path(options[n]) if options.get(n) else None for n in FILES)
    given = Given(Path(prediction), Path(truth), scene, probabilities, polygons, layers)
    scenes = find_scenes(given, LOG.info)
    area = box_text(options["bbox"]) if options.get("bbox") else options.get("aoi")
    if area is not None:
        area = area if options.get("bbox") else Path(area)
        scenes = limit_scenes(scenes, area, LOG.info, Layer(options.get("aoi_layer"), "--aoi-layer"))
    with Progress(options.get("progress", False)) as told:
        listener = EvaluateListener(LOG.info, lambda name, rows: told.begin(name, rows, "rows"), told.advance)
        if out is None:
            return Metrics(compare(scenes, _chosen(options), listener).to_json())
        report = EvaluationFiles(Path(out), options.get("overwrite", False), [scene.name for scene in scenes])
        try:
            result = compare(scenes, _chosen(options), listener, report.maps)
            return Metrics(result.to_json(), tuple(report.finish(result)))
        finally:
            report.abort()


def _chosen(options: Mapping[str, Any]) -> EvaluateOptions:
    alpha = options.get("alpha", "auto")
    rest = {name: options[name] for name in ("min_area_m2", "footprints", "seed") if name in options}
    return EvaluateOptions(
        ValueOptions(
            options.get("band", 0), _pairs(options.get("value")), options.get("threshold"), alpha=alpha
        ),
        ValueOptions(options.get("truth_band", 0), _pairs(options.get("truth_value")), alpha=alpha),
        options.get("class_name", ""),
        **rest,
    )


def _pairs(names: Mapping[int, str] | None) -> tuple[tuple[int, str], ...]:
    return tuple((int(value), name) for value, name in (names or {}).items())
