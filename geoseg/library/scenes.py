"""Scenes and arrays through a network: :func:`segment` and :func:`predict`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from geoseg.core import NODATA, Estimate, OutputOptions, Resources, RunSpec, SegmentOptions
from geoseg.errors import InputError
from geoseg.library.areas import AREA, area_of
from geoseg.library.keywords import NETWORK, SEGMENT, check_names, segment_options
from geoseg.library.labelled import georeference, labelled_like, pixels_of
from geoseg.library.progress import Progress, Wish
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.pipeline.segment import SegmentListener
from geoseg.pipeline.segment import run as run_spec
from geoseg.pipeline.segment import segment as run_segment
from geoseg.pipeline.segment_job import SegmentResult
from geoseg.raster.arrays import read_array, write_array

FILES = frozenset({"overwrite", "resume"})
Model = str | os.PathLike[str] | Bundle | None


def segment(
    scene: str | os.PathLike[str],
    model: Model = None,
    out: str | os.PathLike[str] = ".",
    *,
    progress: Wish = False,
    **options: Any,
) -> SegmentResult:
    """Segment a scene of any size, as ``geoseg infer`` does.

    Args:
        scene: path of a raster.
        model: from :func:`geoseg.load_model`, or a bundle's folder or name; None: the embedded one.
        out: folder for the results, made where it is missing.
        progress: True shows a bar; a function is called with events.
        options: those of ``geoseg infer``: ``threshold=0.4``, ``min_area_m2=10``, ``simplify_m=0.3``,
            ``bands=(3, 2, 1)``, ``format="gpkg"``, ``aoi="area.gpkg"``, ``overwrite=True``, ...

    Returns:
        The files and the record. Either all files are in place or none.

    Raises:
        GeosegError: whatever the user can do something about.
        TypeError: an option that does not exist.
        KeyboardInterrupt: on Ctrl-C; the same call with ``resume=True`` goes on.
    """
    check_names("segment", options, SEGMENT | FILES | set(AREA))
    files = {name: options.pop(name) for name in FILES & options.keys()}
    area = area_of(Path(scene), options)
    return _run(
        Path(scene), model, OutputOptions(Path(out), **files), segment_options(options, area), progress
    )


def run(
    spec: RunSpec | Mapping[str, Any] | str | os.PathLike[str],
    resources: Resources | None = None,
    out: str | os.PathLike[str] = ".",
    *,
    progress: Wish = False,
    overwrite: bool = False,
    resume: bool = False,
) -> SegmentResult:
    """Carry out a run that was planned elsewhere: the same bytes, in any process and folder.

    Args:
        spec: what ``geoseg infer SCENE --dry-run --json`` prints, as a file or as plain values.
        resources: what the run may take: ``geoseg.Resources(threads=1, memory=2_000_000_000)``; None: what
            is there.
        out: folder for the results, made where it is missing.
        progress: as for :func:`segment`.
        overwrite: replace results of an earlier run.
        resume: go on with a run that was cut off.

    Raises:
        InputError: no spec, or its scene or bundle is no longer what it was.
        GeosegError: whatever else the user can do something about.
    """
    outputs = OutputOptions(Path(out), overwrite=overwrite, resume=resume)
    with Progress(progress) as told:
        return run_spec(_spec_of(spec), outputs, resources, _listener(told))


def _spec_of(given: RunSpec | Mapping[str, Any] | str | os.PathLike[str]) -> RunSpec:
    if isinstance(given, RunSpec):
        return given
    values: Any = given
    if not isinstance(given, Mapping):
        try:
            values = json.loads(Path(given).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InputError(
                f"{given}: no run spec ({error})", "geoseg infer SCENE --dry-run --json prints one"
            ) from error
    return RunSpec.from_json(values.get("spec", values) if isinstance(values, Mapping) else {})


def _listener(told: Progress) -> SegmentListener:
    def planned(spec: RunSpec, estimate: Estimate) -> None:
        told.begin("segment", len(spec.plan.patches), "patches")

    return SegmentListener(planned, told.advance)


def _run(
    scene: Path, model: Model, outputs: OutputOptions, options: SegmentOptions, progress: Wish
) -> SegmentResult:
    bundle = model if isinstance(model, Bundle) else load_bundle(None if model is None else Path(model))
    with Progress(progress) as told:
        return run_segment(scene, bundle, outputs, options, _listener(told))


def predict(
    array: ArrayLike,
    transform: Any = None,
    crs: Any = None,
    model: Model = None,
    **options: Any,
) -> Any:
    """Run a network over an array, with the same result as over a file that holds it.

    Args:
        array: (bands, height, width), or an ``xarray.DataArray`` of such a shape. Where it has as many bands
            as the model reads, they are taken in the model's order (red, green, blue), unless ``bands`` says
            otherwise.
        transform: ``rasterio.Affine`` from pixels to the map, or its six numbers; None: that of the
            DataArray's ``rio``, else there is none.
        crs: anything that rasterio takes: ``"EPSG:32628"``, a number, a CRS; None: likewise. Without a CRS,
            ``gsd_m`` says how large a pixel is.
        model: as for :func:`segment`.
        options: ``probabilities=True``; ``nodata``, the value of pixels without data; ``progress``; and those
            of :func:`segment` that concern the network: ``threshold``, ``patch``, ``device``, ...

    Returns:
        (height, width) uint8 class ids, 255 where there is no data; with ``probabilities=True`` (classes,
        height, width) float32 from 0 to 1, NaN where there is no data; a binary model has one class there.
        Of a DataArray, a DataArray with the same coordinates.

    Raises:
        GeosegError: whatever the user can do something about.
        TypeError: an option that does not exist, or values that no raster holds.
    """
    known = NETWORK | {"threshold", "probabilities", "nodata", "progress"}
    check_names("predict", options, known)
    nodata, progress = options.pop("nodata", None), options.pop("progress", False)
    pixels = pixels_of(array)
    transform, crs = georeference(array, transform, crs)
    bundle = model if isinstance(model, Bundle) else load_bundle(None if model is None else Path(model))
    if "bands" not in options and len(pixels) == len(bundle.spec.bands):
        options["bands"] = range(1, len(pixels) + 1)
    chosen = segment_options(options | {"format": (), "full_extent": True})
    with TemporaryDirectory(prefix="geoseg-") as folder:
        scene = Path(folder) / "array.tif"
        write_array(scene, pixels, transform, crs, nodata)
        done = _run(scene, bundle, OutputOptions(Path(folder) / "out"), chosen, progress)
        kind = "probabilities" if chosen.probabilities else "mask"
        values = read_array(next(output.path for output in done.outputs if output.kind == kind))
    found = _probabilities(values) if chosen.probabilities else values[0]
    return labelled_like(array, found)


def _probabilities(scores: NDArray[Any]) -> NDArray[np.float32]:
    """Scores 0-250 as probabilities, NaN where there is no data."""
    return np.where(scores == NODATA, np.float32("nan"), scores.astype(np.float32) / np.float32(250))
