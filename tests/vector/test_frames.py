"""Footprints that anybody has drawn become rectangular."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from click.testing import CliRunner
from shapely.affinity import rotate

from geoseg.cli.main import cli
from geoseg.errors import OptionError
from geoseg.vector.frames import regularize_frame

ANGLES = (0, 17, 33, 45, 80)
UTM = 32628


def noisy_rectangle(angle: float, x: float, seed: int, noise: float = 0.3) -> shapely.Polygon:
    """A rectangle of 20 x 10 m with a corner each metre, each of them off by up to ``noise`` metres."""
    rng = np.random.default_rng(seed)
    ring = shapely.get_coordinates(shapely.segmentize(shapely.box(0, 0, 20, 10), 1.0))[:-1]
    shape = rotate(shapely.Polygon(ring + rng.uniform(-noise, noise, ring.shape)), angle, origin=(0, 0))
    return shapely.transform(shape, lambda xy: xy + np.array([500_000 + x, 3_000_000]))


def clean_rectangle(angle: float, x: float) -> shapely.Polygon:
    """The same without noise."""
    return noisy_rectangle(angle, x, 0, noise=0.0)


@pytest.fixture
def town() -> geopandas.GeoDataFrame:
    """Rectangles at several angles, with fields and an index of their own."""
    shapes = [noisy_rectangle(angle, 50 * i, i) for i, angle in enumerate(ANGLES)]
    return geopandas.GeoDataFrame({"name": list("abcde")}, geometry=shapes, crs=UTM, index=[3, 1, 4, 9, 5])


def iou(one: Any, other: Any) -> float:
    """Area of the intersection by that of the union."""
    return float(shapely.area(one.intersection(other)) / shapely.area(one.union(other)))


def test_a_noisy_rectangle_becomes_the_rectangle(town: geopandas.GeoDataFrame) -> None:
    """Four corners, the shape is its own minimum rotated rectangle, and it lies where the true one does."""
    found = regularize_frame(town).geometry

    for i, (angle, shape) in enumerate(zip(ANGLES, found, strict=True)):
        assert len(shape.exterior.coords) == 5
        assert iou(shape, shape.minimum_rotated_rectangle) > 0.9999
        assert iou(shape, clean_rectangle(angle, 50 * i)) > 0.96


def test_fields_index_and_crs_are_kept(town: geopandas.GeoDataFrame) -> None:
    """Only the outlines are new, and the frame that was given is as before."""
    before = town.copy()
    found = regularize_frame(town)

    assert found.drop(columns="geometry").equals(before.drop(columns="geometry"))
    assert (found.crs, found.index.tolist()) == (before.crs, [3, 1, 4, 9, 5])
    assert town.equals(before)


def test_any_crs_gives_the_same_outlines(town: geopandas.GeoDataFrame) -> None:
    """In degrees, and in metres of another projection, which are longer."""
    here = regularize_frame(town).geometry
    for crs in (4326, 3857):
        there = regularize_frame(town.to_crs(crs)).to_crs(UTM).geometry
        assert min(map(iou, here, there)) > 0.99


def test_neighbours_share_their_walls() -> None:
    """Three houses in a row, whose common walls are ragged, come out as a coverage without gaps."""
    rng = np.random.default_rng(1)
    walls = [np.column_stack([x + rng.uniform(-0.3, 0.3, 11), np.arange(11.0)]) for x in (0, 8, 16, 24)]
    row = [shapely.Polygon(np.concatenate([a, b[::-1]])) for a, b in pairwise(walls)]
    turned = [rotate(shape, 25, origin=(0, 0)) for shape in row]
    rounded = [shapely.transform(s, lambda xy: np.round(xy + 500_000, 2)) for s in turned]

    found = regularize_frame(geopandas.GeoDataFrame(geometry=rounded, crs=UTM)).geometry

    assert shapely.coverage_is_valid(found.values)
    assert [5, 5, 5] == [len(shape.exterior.coords) for shape in found]
    assert shapely.length(found[0].intersection(found[1])) == pytest.approx(10, abs=0.3)


def test_what_is_not_rectangular_stays() -> None:
    """A circle, a point and a row without a shape are as before."""
    shapes = [shapely.Point(0, 0).buffer(10), shapely.Point(3, 3), None]
    found = regularize_frame(geopandas.GeoDataFrame(geometry=shapes, crs=UTM)).geometry

    assert found[0].equals(shapes[0])
    assert found[1] == shapes[1]
    assert found[2] is None


def test_parts_of_a_multipolygon_become_rectangular(town: geopandas.GeoDataFrame) -> None:
    """It stays one feature."""
    both = shapely.MultiPolygon(list(town.geometry[:2]))
    (found,) = regularize_frame(geopandas.GeoDataFrame(geometry=[both], crs=UTM)).geometry

    assert found.geom_type == "MultiPolygon"
    assert [5, 5] == [len(part.exterior.coords) for part in found.geoms]


def test_an_empty_frame_stays_empty() -> None:
    """There is nothing to do."""
    assert regularize_frame(geopandas.GeoDataFrame(geometry=[], crs=UTM)).empty


def test_a_tolerance_of_nothing_is_refused(town: geopandas.GeoDataFrame) -> None:
    """It would leave everything as it is without a word."""
    with pytest.raises(OptionError, match="simplify_m 0"):
        regularize_frame(town, 0)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet"])
def test_the_command_writes_what_the_function_gives(
    town: geopandas.GeoDataFrame, tmp_path: Path, suffix: str
) -> None:
    """Each format holds the same outlines and fields; a file that is there is not replaced unasked."""
    given, target = tmp_path / "town.gpkg", tmp_path / f"out.{suffix}"
    town.to_file(given)
    expected = regularize_frame(town).geometry
    words = ["regularize", str(given), "-o", str(target)]

    done = CliRunner().invoke(cli, words)
    again = CliRunner().invoke(cli, words)

    assert done.exit_code == 0, done.output
    assert "5 polygons, 5 with a new outline" in done.output
    found = geopandas.read_parquet(target) if suffix == "parquet" else geopandas.read_file(target)
    order = found.sort_values("name").to_crs(UTM).geometry
    assert min(map(iou, expected, order)) > 0.99  # GeoJSON has 7 decimals, a centimetre
    assert again.exit_code != 0
    assert ["out." + suffix, "town.gpkg"] == sorted(p.name for p in tmp_path.iterdir())
