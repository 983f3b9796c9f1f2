"""Areas and lengths on the ground, in any CRS (law 12)."""

from __future__ import annotations

import json

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Proj, Transformer

from geoseg.core import GeoGrid, VectorOptions
from geoseg.vector.measure import local_frames, measure_ellipsoid
from tests.vector.files import layout, read, write
from tests.vector.tracing import blobs

GEOD = Geod(ellps="WGS84")
UTM60 = "EPSG:32660"
PLACES = [(11.0, 0.0), (11.0, 60.0), (-75.0, -33.0), (179.9999, 16.0), (-74.0, 40.7)]
SYSTEMS = ["EPSG:4326", "EPSG:3857", "utm", "EPSG:2263", "ESRI:54034", "EPSG:3395"]


def _grid(lon, lat, system, size, side_m):
    """A grid of pixels whose middle is a place and whose sides are about ``side_m`` on the ground."""
    if system == "utm":
        system = f"EPSG:{32600 + int((lon + 180) // 6) + 1}"
    to = Transformer.from_crs("EPSG:4326", system, always_xy=True)
    x, y = to.transform(lon, lat)
    east = GEOD.fwd(lon, lat, 90, 1.0)
    north = GEOD.fwd(lon, lat, 0, 1.0)
    dx = abs(to.transform(east[0], east[1])[0] - x) * side_m
    dy = abs(to.transform(north[0], north[1])[1] - y) * side_m
    return GeoGrid(size, size, (dx, 0, x - dx * size / 2, 0, -dy, y + dy * size / 2), CRS(system).to_wkt())


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("place", PLACES)
def test_the_same_square_everywhere(tmp_path, place, system):
    """Twenty metres by twenty, and a block a kilometre wide, in any CRS: within 0.1 %."""
    if system == "EPSG:2263" and place != PLACES[-1]:
        pytest.skip("a CRS of New York")
    labels = np.zeros((1100, 1100), np.uint8)
    labels[540:560, 540:560] = 1
    for side, expected in ((1.0, 400.0), (50.0, 1e6)):
        grid = _grid(*place, system, 1100, side)
        plan = layout(labels.shape, grid.crs, grid.transform)
        target = tmp_path / f"s{side}.parquet"
        write(labels, [target], plan)
        frame = read(target)

        assert [expected] == pytest.approx(frame["area_m2"].tolist(), rel=1e-3)
        assert [4 * np.sqrt(expected)] == pytest.approx(frame["perimeter_m"].tolist(), rel=1e-3)


def test_large_polygons_against_pyproj():
    """With holes, in a CRS whose scale changes across them."""
    crs = CRS("EPSG:3857").to_wkt()
    outer, hole = shapely.box(0, 8e6, 3e5, 8.3e6), shapely.box(1e5, 8.1e6, 2e5, 8.2e6)
    polygon = shapely.difference(outer, hole)
    found = measure_ellipsoid(np.array([polygon, outer]), crs, 500.0)
    back = Transformer.from_crs(crs, "EPSG:4326", always_xy=True)
    for number, shape in enumerate((polygon, outer)):
        dense = shapely.transform(
            shapely.segmentize(shape, 500.0), lambda xy: np.column_stack(back.transform(*xy.T))
        )
        area, _ = GEOD.geometry_area_perimeter(shapely.orient_polygons(dense))
        length = sum(GEOD.line_length(*np.array(r.coords).T) for r in shapely.get_rings(dense))

        assert abs(area) == pytest.approx(found.area[number], rel=1e-6)
        assert length == pytest.approx(found.perimeter[number], rel=1e-6)


def test_frames_of_turned_grids():
    """A pixel's sides on the ground, however the grid lies."""
    turn = np.radians(30)
    grid = GeoGrid(
        10, 10, (0.5 * np.cos(turn), 0.5 * np.sin(turn), 5e5, 0.5 * np.sin(turn), -0.5 * np.cos(turn), 4e6),
        CRS("EPSG:32628").to_wkt(),
    )  # fmt: skip
    (frame,) = local_frames(grid, np.array([5.0]), np.array([5.0]))
    scale = 0.9996

    assert [0.5 / scale] * 2 == pytest.approx(np.hypot(*frame).tolist(), rel=1e-3)
    assert -((0.5 / scale) ** 2) == pytest.approx(np.linalg.det(frame), rel=2e-3)


NOWHERE = {
    "rows for degrees, as files without a georeference have": ("EPSG:4326", (1, 0, 100, 0, 1, 95)),
    "one row north of the pole": ("EPSG:4326", (0.25, 0, 0, 0, -0.25, 290)),
    "UTM far off": ("EPSG:32628", (1, 0, 1e9, 0, -1, 1e9)),
    "UTM, endless": ("EPSG:32628", (1e6, 0, 1e7, 0, -1e6, 1e9)),
    "beside the Earth's disc": ("+proj=geos +h=35785831 +sweep=y", (1e4, 0, -5e6, 0, -1e4, 9e6)),
}


@pytest.mark.parametrize("name", NOWHERE)
@pytest.mark.parametrize("options", [VectorOptions(), VectorOptions(connectivity=8, min_area_m2=50)])
def test_where_the_crs_has_no_place(tmp_path, name, options):
    """No numbers rather than wrong ones: sizes are left out, in GeoJSON the place too; no object is lost."""
    crs, transform = NOWHERE[name]
    labels = blobs(300, 6)
    labels[20:40, 280:] = 2
    targets = [tmp_path / f"p.{suffix}" for suffix in ("gpkg", "geojson", "fgb", "parquet")]
    (output, *_) = write(labels, targets, layout(labels.shape, CRS(crs).to_wkt(), transform), options)
    features = json.loads(targets[1].read_text())["features"]

    assert 7 == output.summary["not_measured"] == len(features)
    assert 0.0 == output.summary["area_m2"]
    assert all(feature["geometry"] is None for feature in features)
    assert all(feature["properties"]["area_m2"] is None for feature in features)
    for target in (targets[0], *targets[2:]):
        frame = read(target)
        assert 7 == len(frame)
        assert frame[["area_m2", "perimeter_m", "compactness"]].isna().all(axis=None)
        assert frame.is_valid.all()
        pixels = abs(transform[0] * transform[4])
        assert int((labels > 0).sum()) == pytest.approx(shapely.area(frame.geometry).sum() / pixels, rel=0.05)


def test_where_the_crs_has_a_place_for_a_part(tmp_path):
    """The picture of a weather satellite: what lies on the Earth is measured."""
    labels = np.zeros((1100, 1100), np.uint8)
    labels[5:25, 5:25] = labels[540:560, 540:560] = 1
    transform = (1e4, 0, -5.5e6, 0, -1e4, 5.5e6)
    plan = layout(labels.shape, CRS("+proj=geos +h=35785831 +sweep=y").to_wkt(), transform)
    targets = [tmp_path / "p.parquet", tmp_path / "p.geojson"]
    (output, *_) = write(labels, targets, plan)
    areas = read(targets[0])["area_m2"]
    off, there = json.loads(targets[1].read_text())["features"]

    assert [True, False] == areas.isna().tolist()
    assert areas[1] == pytest.approx(4e10, rel=0.02)
    assert 1 == output.summary["not_measured"]
    assert (None, "Polygon") == (off["geometry"], there["geometry"]["type"])


@pytest.mark.parametrize("system", ["EPSG:6931", "EPSG:3413", "EPSG:3031"])
def test_at_the_pole_itself(tmp_path, system):
    """Where all meridians meet, in the CRSs that are made for it."""
    labels = np.zeros((300, 300), np.uint8)
    labels[140:160, 140:160] = labels[148:152, 180:200] = labels[200:210, 200:210] = 1
    crs = CRS(system)
    plan = layout(labels.shape, crs.to_wkt(), (10, 0, -1500, 0, -10, 1500))
    write(labels, [tmp_path / "p.parquet"], plan, VectorOptions(simplify_m=0))
    pole = 90 if crs.to_epsg() != 3031 else -90
    scale = Proj(crs).get_factors(0, pole - np.sign(pole) * 1e-6).areal_scale

    expected = [pixels * 100 / scale for pixels in (400, 80, 100)]
    found = sorted(read(tmp_path / "p.parquet")["area_m2"])
    assert sorted(expected) == pytest.approx(found, rel=1e-4)


def test_up_to_the_pole(tmp_path):
    """A map of the world is measured up to its rim."""
    labels = np.zeros((180, 360), np.uint8)
    labels[:2, 10:12] = labels[100:102, 50:60] = labels[178:, 350:] = 1
    plan = layout(labels.shape, CRS("EPSG:4326").to_wkt(), (1, 0, -180, 0, -1, 90))
    (output, *_) = write(labels, [tmp_path / "p.parquet"], plan)
    frame = read(tmp_path / "p.parquet")
    expected = [abs(GEOD.geometry_area_perimeter(s)[0]) for s in frame.geometry.segmentize(0.01)]

    assert "not_measured" not in output.summary
    assert expected == pytest.approx(frame["area_m2"].tolist(), rel=2e-3)
