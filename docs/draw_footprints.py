"""Draw the pictures of docs/footprints.md: outlines along pixels beside regularised ones.

Needs the bench's extras, for BuildingRegulariser and matplotlib::

    python docs/draw_footprints.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas
import matplotlib as mpl
import numpy as np
import rasterio
import shapely
from buildingregulariser import regularize_geodataframe
from matplotlib import pyplot
from matplotlib.axes import Axes
from rasterio.windows import Window

from geoseg.core import SegmentOptions, VectorOptions
from geoseg.pipeline.segment import OutputOptions, segment
from geoseg.pipeline.vectorize import VectorizeOptions, vectorize

ROOT = Path(__file__).resolve().parents[1]
SCENE = ROOT / "sample_data" / "scene.tif"
PICTURES = ROOT / "docs" / "pictures"
PART = Window(600, 600, 300, 300)
DENSE = Window(1000, 1000, 200, 200)
PIXEL_M = 0.5
COLOURS = {"along the pixels": "#ffd400", "geoseg": "#e4262c", "BuildingRegulariser": "#00d5ff"}


def main() -> None:
    """Segment the sample scene, draw its outlines in three ways."""
    mpl.use("Agg")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        options = SegmentOptions(probabilities=True, formats=())
        found = segment(SCENE, None, OutputOptions(folder), options).outputs
        scores = next(output.path for output in found if output.kind == "probabilities")
        plain = VectorOptions(simplify_m=0, regularize=False, min_area_m2=8)
        pixels = _polygons(scores, folder / "pixels.parquet", plain)
        ours = _polygons(scores, folder / "ours.parquet", VectorOptions(min_area_m2=8))
    lengths = {"parallel_threshold": 2 * PIXEL_M, "simplify_tolerance": 2 * PIXEL_M}
    theirs = regularize_geodataframe(pixels, **lengths, num_cores=1)
    layers = {"along the pixels": pixels, "geoseg": ours, "BuildingRegulariser": theirs}
    first = {name: layers[name] for name in ("along the pixels", "geoseg")}
    _draw(first, PART, PICTURES / "footprints.jpg")
    second = {name: layers[name] for name in ("geoseg", "BuildingRegulariser")}
    _draw(second, DENSE, PICTURES / "footprints_beside.jpg")


def _polygons(scores: Path, target: Path, options: VectorOptions) -> geopandas.GeoDataFrame:
    vectorize(scores, [target], VectorizeOptions(vectors=options))
    return geopandas.read_parquet(target)


def _draw(layers: dict[str, geopandas.GeoDataFrame], part: Window, target: Path) -> None:
    with rasterio.open(SCENE) as src:
        pixels = src.read((1, 2, 3), window=part).transpose(1, 2, 0)
        left, bottom, right, top = src.window_bounds(part)
    figure, axes = pyplot.subplots(1, len(layers), figsize=(6 * len(layers), 6.3))
    for axis, (name, frame) in zip(axes, layers.items(), strict=True):
        axis.imshow(pixels, extent=(left, right, bottom, top))
        _outlines(axis, frame.clip_by_rect(left - 50, bottom - 50, right + 50, top + 50), COLOURS[name])
        axis.set(xlim=(left, right), ylim=(bottom, top), xticks=[], yticks=[])
        axis.set_title(name, fontsize=11)
    figure.subplots_adjust(left=0.005, right=0.995, bottom=0.005, top=0.945, wspace=0.01)
    figure.savefig(target, dpi=100, pil_kwargs={"quality": 82})
    pyplot.close(figure)


def _outlines(axis: Axes, shapes: geopandas.GeoSeries, colour: str) -> None:
    for ring in shapely.get_rings(shapely.get_parts(shapes.to_numpy())):
        axis.plot(*np.array(ring.coords).T, color=colour, linewidth=1.2, solid_joinstyle="miter")


if __name__ == "__main__":
    main()
