"""How good footprints are, by true outlines: right angles, and objects that touch told apart.

`pytest -m slow -s tests/pipeline/test_footprints.py` prints the figures of `docs/footprints.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import rasterize

from geoseg.core import SegmentOptions, Strip, VectorOptions
from geoseg.metrics.footprints import FootprintScore, polygons_from_ids, spacenet_score
from geoseg.pipeline.segment import OutputOptions, segment
from geoseg.pipeline.vectorize import VectorizeOptions, vectorize
from geoseg.raster.labelling import ValueOptions
from geoseg.vector.instances.separate import ObjectSeparator, SeparationScale
from tests.vector.files import read

pytestmark = pytest.mark.slow

APART = VectorOptions(simplify_m=0, regularize=False, split_touching=True)
WHOLE = VectorOptions(simplify_m=0, regularize=False, split_touching=False)
MIN_AREA_PX = 20
"""Of SpaceNet's score."""
EAST = 2048
"""First column of banepa that the embedded model was not trained on."""


def _scores(scene, folder):
    """Probabilities of a scene by the embedded model."""
    options = SegmentOptions(probabilities=True, formats=())
    result = segment(scene, None, OutputOptions(folder, overwrite=True), options)
    return next(output.path for output in result.outputs if output.kind == "probabilities")


def _polygons(raster, target, options, **values):
    """Polygons of a raster of scores, in its own CRS."""
    vectorize(raster, [target], VectorizeOptions(ValueOptions(**values), options, overwrite=True))
    return read(target)


def _found(raster, target, options, truth, box=None, **values):
    """Score in pixels of the raster, inside a box (left, upper, right, lower)."""
    frame = _polygons(raster, target, options, **values)
    with rasterio.open(raster) as src:
        back = ~src.transform
    shapes = frame.geometry.affine_transform(back.to_shapely())
    if box is not None:
        shapes = shapes.intersection(shapely.box(*box))
    return spacenet_score(shapes.to_numpy(), truth, frame["confidence"].to_numpy(), MIN_AREA_PX)


@pytest.fixture(scope="module")
def sample(sample_dir, tmp_path_factory):
    """Raw and regularised polygons of the sample scene's prediction, and the true ones of each."""
    folder = tmp_path_factory.mktemp("sample")
    raster = _scores(sample_dir / "scene.tif", folder)
    split = {"min_area_m2": 8, "split_touching": True}
    raw = _polygons(raster, folder / "raw.gpkg", VectorOptions(simplify_m=0, regularize=False, **split))
    drawn = _polygons(raster, folder / "drawn.gpkg", VectorOptions(**split))
    truth = geopandas.read_file(sample_dir / "footprints.geojson").to_crs(raw.crs)
    truth = np.array(truth.explode(index_parts=False).geometry.to_numpy(), object)
    return _Sample(raw.geometry.to_numpy(), drawn.geometry.to_numpy(), drawn["regularized"].to_numpy(), truth)


@dataclass(frozen=True)
class _Sample:
    raw: np.ndarray
    drawn: np.ndarray
    straight: np.ndarray
    truth: np.ndarray

    def pairs(self):
        """Numbers of polygons and of the true ones that they overlap with by more than half."""
        found, true = shapely.STRtree(self.truth).query(self.raw, predicate="intersects")
        good = _iou(self.raw[found], self.truth[true]) > 0.5
        return found[good], true[good]


def _iou(one, other):
    overlap = shapely.area(shapely.intersection(one, other))
    return overlap / (shapely.area(one) + shapely.area(other) - overlap)


def _hausdorff(one, other):
    rims = (shapely.segmentize(shapely.boundary(shapes), 0.5) for shapes in (one, other))
    return shapely.hausdorff_distance(*rims)


def test_regularised_is_nearer_to_the_truth(sample):
    """Than outlines along the pixels: mean overlap and mean Hausdorff distance; none lost, all valid."""
    found, true = sample.pairs()
    truth = sample.truth[true]
    for name, shapes in (("along the pixels", sample.raw[found]), ("regularised", sample.drawn[found])):
        iou, distance = _iou(shapes, truth).mean(), _hausdorff(shapes, truth).mean()
        print(f"\n{name}: {len(found)} polygons, mean IoU {iou:.4f}, Hausdorff distance {distance:.2f} m")

    assert len(sample.raw) == len(sample.drawn)
    assert shapely.is_valid(sample.drawn).all()
    assert len(found) > 1000
    assert _iou(sample.drawn[found], truth).mean() > _iou(sample.raw[found], truth).mean()
    assert _hausdorff(sample.drawn[found], truth).mean() < _hausdorff(sample.raw[found], truth).mean()


def _corners(shape):
    """Places of a polygon's corners, and degrees by which the outline turns there."""
    found = []
    for ring in (shape.exterior, *shape.interiors):
        xy = np.array(ring.coords)[:-1]
        come, go = xy - np.roll(xy, 1, axis=0), np.roll(xy, -1, axis=0) - xy
        turn = np.degrees(np.arctan2(come[:, 0] * go[:, 1] - come[:, 1] * go[:, 0], (come * go).sum(axis=1)))
        found.append(np.column_stack([xy, np.abs(turn)]))
    corners = np.vstack(found)
    return corners[corners[:, 2] > 20]


def _right_angles(drawn, truth):
    """Of the true right angles near which the outline has a corner: within 3 degrees, and how many."""
    right = total = 0
    for one, other in zip(drawn, truth, strict=True):
        corners, true = _corners(one), _corners(other)
        true = true[np.abs(true[:, 2] - 90) < 1]
        far = np.hypot(*(true[:, None, :2] - corners[None, :, :2]).transpose(2, 0, 1))
        near = far.min(axis=1) < 2.0
        total += int(near.sum())
        right += int((np.abs(corners[far.argmin(axis=1), 2] - 90) <= 3)[near].sum())
    return right / total, total


def test_right_angles_of_a_prediction(sample):
    """Nearly all, though the network has rounded, merged and missed much."""
    found, true = sample.pairs()
    share, total = _right_angles(sample.drawn[found], sample.truth[true])
    touching = np.array(
        [(shapely.distance(s, sample.drawn[found]) == 0).sum() > 1 for s in sample.drawn[found]]
    )
    for name, some in (("touching", touching), ("alone", ~touching)):
        part, count = _right_angles(sample.drawn[found][some], sample.truth[true][some])
        print(f"\nright angles, {name}: {part:.3f} of {count}")
    print(f"right angles, all: {share:.3f} of {total}")

    assert total > 1500
    assert share >= 0.95


def test_right_angles_of_a_mask_without_errors(sample, sample_dir, tmp_path):
    """The true outlines burned at the scene's half metre come back square."""
    with rasterio.open(sample_dir / "scene.tif") as src:
        profile = src.profile | {"count": 1, "dtype": "uint8", "nodata": None, "photometric": "minisblack"}
        mask = rasterize([(s, 1) for s in sample.truth], src.shape, transform=src.transform, dtype="uint8")
    with rasterio.open(tmp_path / "truth.tif", "w", **profile) as out:
        out.write(mask, 1)
    drawn = _polygons(tmp_path / "truth.tif", tmp_path / "drawn.gpkg", VectorOptions()).geometry.to_numpy()
    found, true = shapely.STRtree(sample.truth).query(drawn, predicate="intersects")
    good = _iou(drawn[found], sample.truth[true]) > 0.5
    share, total = _right_angles(drawn[found[good]], sample.truth[true[good]])
    print(f"\nright angles of a mask without errors: {share:.3f} of {total}")

    assert share > 0.98


def test_touching_buildings_of_banepa(data_dir, tmp_path):
    """F1 better by 0.2 with the edges of the bundle; with edges from the truth nine tenths are found."""
    raster = _scores(data_dir / "banepa" / "scene.tif", tmp_path)
    with rasterio.open(raster) as src:
        scores, back, box = src.read(1), ~src.transform, (EAST, 0, src.width, src.height)
    truth = geopandas.read_file(data_dir / "banepa" / "buildings.geojson").to_crs(src.crs).geometry
    truth = truth.affine_transform(back.to_shapely()).intersection(shapely.box(*box)).explode()
    truth = np.array([shape for shape in truth if shape.geom_type == "Polygon" and shape.area > 0], object)
    apart = _found(raster, tmp_path / "a.gpkg", APART, truth, box, threshold=0.55)
    whole = _found(raster, tmp_path / "w.gpkg", WHOLE, truth, box, threshold=0.55)
    print(f"\nbanepa: F1 {whole.f1:.3f} not cut, {apart.f1:.3f} cut by rims")
    assert apart.f1 >= whole.f1 + 0.2

    labels = (scores >= 138)[:, EAST:].astype(np.uint8)
    moved = shapely.transform(truth, lambda xy: xy - np.array([EAST, 0]))
    rims = rasterize(shapely.buffer(shapely.boundary(moved), 3.0), labels.shape, dtype="uint8")
    splitter = ObjectSeparator(labels.shape, np.arange(256) == 1, SeparationScale.of(1.51))
    strip = Strip(0, labels, np.ascontiguousarray(scores[None, :, EAST:]), rims * np.uint8(250))
    parts = splitter.add(strip)
    assert parts is not None
    assert spacenet_score(parts.polygons(), moved, parts.mean(), MIN_AREA_PX).recall >= 0.9


def test_buildings_that_stand_apart_in_rio(data_dir, tmp_path):
    """Edges of the bundle, and dips of the scores alone: not worse by more than 0.01."""
    scores = {name: FootprintScore() for name in ("whole", "edges", "dips")}
    for image in sorted((data_dir / "rio" / "images").glob("*.tif")):
        raster = _scores(image, tmp_path)
        with rasterio.open(raster) as src:
            first = src.read(1)
            profile = src.profile | {"count": 1, "driver": "GTiff", "nodata": 255}
        with rasterio.open(tmp_path / "first.tif", "w", **profile) as out:
            out.write(first, 1)
        with rasterio.open(data_dir / "rio" / "masks" / image.name) as src:
            truth = polygons_from_ids((src.read(1) > 0).astype(np.uint8))
        scores["whole"] += _found(raster, tmp_path / "p.gpkg", WHOLE, truth, threshold=0.55)
        scores["edges"] += _found(raster, tmp_path / "p.gpkg", APART, truth, threshold=0.55)
        dips = tmp_path / "first.tif"
        scores["dips"] += _found(dips, tmp_path / "p.gpkg", APART, truth, threshold=137.5)

    print("\nrio: F1 " + ", ".join(f"{score.f1:.3f} {name}" for name, score in scores.items()))
    assert scores["edges"].f1 >= scores["whole"].f1 - 0.01
    assert scores["dips"].f1 >= scores["whole"].f1 - 0.01


@pytest.mark.parametrize("network", ["Unet", "ResUnet"])
def test_buildings_that_stand_apart_in_austin(data_dir, tmp_path, network):
    """Somebody else's scores, which come without edges: not worse by more than 0.01."""
    raster = data_dir / "masks" / "Austin33" / f"{network}_Segmentation_Austin33.tif"
    with rasterio.open(data_dir / "masks" / "Austin33" / "Original_Austin33_MASK.tif") as src:
        truth = polygons_from_ids((src.read(1) > 127).astype(np.uint8))
    whole = _found(raster, tmp_path / "w.gpkg", WHOLE, truth, threshold=128)
    apart = _found(raster, tmp_path / "a.gpkg", APART, truth, threshold=128)

    print(f"\naustin, {network}: F1 {whole.f1:.3f} not cut, {apart.f1:.3f} cut by dips")
    assert apart.f1 >= whole.f1 - 0.01
