import geopandas
import numpy as np
import shapely

from geoseg.core.grid import GeoGrid
from geoseg.dataset.outlines import Box, Outlines, read_vectors, read_yolo

SQUARE = np.array([[2.0, 3], [6, 3], [6, 8], [2, 8]])


def test_yolo_lines_with_under_four_corners_are_left_out(tmp_path):
    """A point, a line and a triangle hold no building outline."""
    label = tmp_path / "a.txt"
    label.write_text("0 0.5 0.5\n0 0 0 0.5 0 0.5 1\n1 0 0 0.5 0 0.5 1 0 1\n\n")
    outlines = read_yolo(label, (10, 20))
    assert len(outlines) == 1
    np.testing.assert_allclose(outlines.polygons[0][0], [[0, 0], [10, 0], [10, 10], [0, 10]])


def test_burning_numbers_objects_and_small_ones_win():
    """Where outlines overlap, the smaller object is on top."""
    outlines = Outlines(((SQUARE[:, :],), (SQUARE * 0.25 + (3, 4),), (SQUARE + 100,)))
    ids = outlines.burn(Box(0, 0, 10, 10), (10, 10))
    assert (ids == 1).sum() == 4 * 5 - (ids == 2).sum()
    assert set(np.unique(ids)) == {0, 1, 2}


def test_burning_scales_and_shifts():
    """Half a box on twice as many pixels."""
    ids = Outlines(((SQUARE,),)).burn(Box(2, 3, 4, 5), (10, 8))
    assert ids.shape == (10, 8)
    assert (ids == 1).all()


def test_nothing_inside_gives_zeros():
    assert not Outlines(()).burn(Box(0, 0, 4, 4), (4, 4)).any()


def test_vectors_are_reprojected_and_multipolygons_split(tmp_path):
    """Labels in CRS84 land on a scene in metres; each part is an object."""
    grid = GeoGrid(100, 100, (2, 0, 500000, 0, -2, 4600000), "EPSG:32633")
    parts = [shapely.box(500000 + x, 4599900, 500010 + x, 4599920) for x in (20, 60)]
    frame = geopandas.GeoDataFrame(geometry=[shapely.MultiPolygon(parts)], crs="EPSG:32633").to_crs(
        "OGC:CRS84"
    )
    path = tmp_path / "labels.geojson"
    frame.to_file(path, driver="GeoJSON")
    outlines = read_vectors(path, grid)
    assert len(outlines) == 2
    np.testing.assert_allclose(outlines.bounds, [[10, 40, 15, 50], [30, 40, 35, 50]], atol=0.01)
