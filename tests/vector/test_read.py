"""Reading polygons of vector files: five formats alike, hostile ones refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from geoseg.errors import VectorError
from geoseg.runtime.process import RASTER_DRIVERS, VECTOR_DRIVERS
from geoseg.vector.formats.polygons import read_area, read_outlines
from geoseg.vector.formats.read import read_frame

SQUARE = shapely.Polygon(
    [(10.0, 47.0), (10.001, 47.0), (10.001, 47.001), (10.0, 47.001)],
    [[(10.0002, 47.0002), (10.0004, 47.0002), (10.0004, 47.0004)]],
)


def frame() -> geopandas.GeoDataFrame:
    """One building with a yard, in degrees."""
    return geopandas.GeoDataFrame({"class": ["building"]}, geometry=[SQUARE], crs="EPSG:4326")


def written(folder: Path, suffix: str) -> Path:
    """That building in a file."""
    path = folder / f"polygons.{suffix}"
    if suffix == "parquet":
        frame().to_parquet(path)
    else:
        frame().to_file(path)
    return path


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "fgb", "parquet", "shp"])
def test_formats_give_the_same(tmp_path: Path, suffix: str) -> None:
    """Name, rings and coordinates come back whatever the format."""
    (outline,) = read_outlines(written(tmp_path, suffix), "EPSG:4326")

    assert outline.name == "building"
    assert [len(r) for r in outline.rings] == [5, 4]
    found = shapely.Polygon(outline.rings[0], outline.rings[1:])
    assert found.symmetric_difference(SQUARE).area < 1e-15


@pytest.mark.parametrize("name", [None, "urn:ogc:def:crs:OGC:1.3:CRS84"])
@pytest.mark.parametrize("suffix", ["geojson", "parquet"])
def test_degrees_come_back_where_they_were(tmp_path: Path, suffix: str, name: str | None) -> None:
    """Also in US feet without a code; the oracle is the way that GDAL and geopandas take, from EPSG:4326."""
    feet = "+proj=lcc +lat_1=41 +lat_2=42 +lat_0=40 +lon_0=-75 +x_0=600000 +y_0=0 +datum=NAD83 +units=us-ft"
    square = geopandas.GeoDataFrame(geometry=[shapely.box(-74.999, 40.9, -74.998, 40.901)], crs="EPSG:4326")
    path = tmp_path / f"a.{suffix}"
    if suffix == "parquet":
        square.set_crs("OGC:CRS84", allow_override=True).to_parquet(path)
    else:
        data = json.loads(square.to_json(drop_id=True))
        data["crs"] = name and {"type": "name", "properties": {"name": name}}
        path.write_text(json.dumps(data))
    (outline,) = read_outlines(path, feet)

    expected = shapely.get_coordinates(square.to_crs(feet).geometry[0])
    np.testing.assert_allclose(np.sort(outline.rings[0], 0), np.sort(expected, 0), atol=1e-3)


def test_coordinates_are_reprojected(tmp_path: Path) -> None:
    """Map coordinates of the CRS that was asked for; the oracle is geopandas on the frame itself."""
    (outline,) = read_outlines(written(tmp_path, "geojson"), "EPSG:32632")

    expected = shapely.get_coordinates(frame().to_crs(32632).geometry[0].exterior)
    np.testing.assert_allclose(outline.rings[0], expected, atol=1e-6)


def test_area_is_one_geometry(tmp_path: Path) -> None:
    """Overlapping polygons become one area."""
    two = geopandas.GeoDataFrame(geometry=[shapely.box(0, 0, 2, 2), shapely.box(1, 0, 3, 2)], crs=32632)
    path = tmp_path / "aoi.gpkg"
    two.to_file(path)

    area = shapely.from_geojson(read_area(path, "EPSG:32632"))

    assert area.equals(shapely.box(0, 0, 3, 2))


def test_a_bare_geometry_is_an_area(tmp_path: Path) -> None:
    """GeoJSON may be a geometry alone, as drawing tools copy it."""
    path = tmp_path / "aoi.json"
    path.write_text(shapely.to_geojson(SQUARE))

    assert shapely.from_geojson(read_area(path, "EPSG:4326")).equals(SQUARE)


VRT = (
    "<OGRVRTDataSource><OGRVRTLayer name='x'><SrcDataSource>other.shp</SrcDataSource>"
    "</OGRVRTLayer></OGRVRTDataSource>"
)
HOSTILE = {
    "vrt.gpkg": VRT,
    "wfs.geojson": "<OGRWFSDataSource><URL>http://127.0.0.1:9/</URL></OGRWFSDataSource>",
    "gdalg.geojson": json.dumps(
        {"type": "gdal_streamed_alg", "command_line": "gdal vector pipeline ! read x"}
    ),
    "link.geojson": json.dumps(
        {
            "type": "FeatureCollection",
            "features": [],
            "crs": {"type": "link", "properties": {"href": "http://127.0.0.1:9/crs", "type": "proj4"}},
        }
    ),
    "esri.json": json.dumps({"displayFieldName": "", "geometryType": "esriGeometryPolygon", "features": []}),
    "plain.sqlite": "SQLite format 3\0" + "\0" * 100,
    "list.json": "[1, 2]",
    "cut.geojson": '{"type": "FeatureCollection", "features": [',
    "cut.gpkg": "SQLite format 3\0" + "\0" * 52 + "GPKG",
    "cut.fgb": "fgb\x03fgb\0",
    "cut.parquet": "PAR1PAR1",
    "empty.geojson": "",
}


@pytest.mark.parametrize("magic", [b"fgb ", b"fgb\x03fgb\x01"])
def test_a_vrt_that_begins_like_a_flatgeobuf_is_refused(tmp_path: Path, magic: bytes) -> None:
    """It would show the features of another file."""
    frame().to_file(tmp_path / "other.shp")
    path = tmp_path / "vrt.fgb"
    path.write_bytes(
        magic + VRT.replace("other.shp", str(tmp_path / "other.shp")).replace("'x'", "'other'").encode()
    )

    with pytest.raises(VectorError, match=r"vrt\.fgb"):
        read_frame(path)


def test_drivers_that_reach_elsewhere_are_not_registered() -> None:
    """In a process of geoseg's own; those that geoseg writes with stay, and GDAL does not complain."""
    code = (
        "from geoseg.runtime.process import set_up; set_up(); set_up()\n"
        "import geoseg.vector.formats.read, pyogrio; print(*pyogrio.list_drivers(), sep='\\n')"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OGR_SKIP"}

    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, env=environment
    )

    drivers = set(done.stdout.splitlines())
    assert "" == done.stderr
    assert set() == drivers & {*VECTOR_DRIVERS, *RASTER_DRIVERS}
    assert {"GPKG", "FlatGeobuf", "GeoJSON", "ESRI Shapefile"} <= drivers


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_and_damaged_files_are_refused(tmp_path: Path, name: str) -> None:
    """One line that names the file; GDAL never sees what is no plain vector file."""
    path = tmp_path / name
    path.write_text(HOSTILE[name])

    with pytest.raises(VectorError) as caught:
        read_outlines(path, "EPSG:4326")

    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    """A path that is not there is said plainly."""
    with pytest.raises(VectorError, match="No such file"):
        read_frame(tmp_path / "none.gpkg")


def test_no_polygons(tmp_path: Path) -> None:
    """Points are no area."""
    path = tmp_path / "points.gpkg"
    geopandas.GeoDataFrame(geometry=[shapely.Point(1, 1)], crs=4326).to_file(path)

    with pytest.raises(VectorError, match="no polygons"):
        read_area(path, "EPSG:4326")


def test_a_file_without_shapes_is_refused(tmp_path: Path) -> None:
    """A GeoPackage may hold tables alone."""
    table = pd.DataFrame({"name": ["x"]})
    pyogrio.write_dataframe(table, tmp_path / "v.gpkg", layer="table", driver="GPKG")

    for crs in (None, "EPSG:4326"):
        with pytest.raises(VectorError, match="no layer of it has geometry"):
            read_outlines(tmp_path / "v.gpkg", crs)


def test_an_area_with_a_spur(tmp_path: Path) -> None:
    """What was drawn out and back again is no area; it takes nothing from the rest."""
    spurred = shapely.Polygon([(10, 47), (11, 47), (11, 48), (11, 49), (11, 48), (10, 48)])
    path = tmp_path / "area.gpkg"
    geopandas.GeoDataFrame(geometry=[spurred], crs="EPSG:4326").to_file(path)

    assert shapely.from_geojson(read_area(path, "EPSG:4326")).equals(shapely.box(10, 47, 11, 48))


def test_no_way_to_a_local_crs(tmp_path: Path) -> None:
    """One line says so."""
    local = 'LOCAL_CS["Local Coordinates (m)",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
    with pytest.raises(VectorError, match="brought together"):
        read_outlines(written(tmp_path, "gpkg"), local)
