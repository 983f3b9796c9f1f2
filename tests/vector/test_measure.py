"""Areas and lengths on the ground, in any CRS (law 12)."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from pyproj import CRS, Geod, Transformer

from geoseg.core import GeoGrid
from geoseg.vector.measure import local_frames, measure_ellipsoid
from tests.vector.files import layout, read, write

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
