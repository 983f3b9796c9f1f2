"""What is read of a vector file: its layer, its polygons, the types of its attributes; and what is told."""

from __future__ import annotations

import json
import struct
from datetime import date
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely

from geoseg.errors import OptionError, VectorError
from geoseg.vector.formats.attributes import decimals, texts
from geoseg.vector.formats.layers import Layer
from geoseg.vector.formats.polygons import read_polygons

HOUSE, HALL = shapely.box(0, 0, 10, 10), shapely.box(20, 0, 40, 10)
BOW_TIE = shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])
FLAT = shapely.Polygon([(0, 0), (4, 4), (2, 2)])
TREE, ROAD = shapely.Point(1, 1), shapely.LineString([(0, 0), (5, 5)])
CRS = "EPSG:32628"


def add_layer(path: Path, name: str, *shapes: Any, **fields: Any) -> Path:
    """Add a layer to a GeoPackage."""
    frame = geopandas.GeoDataFrame(fields, geometry=list(shapes), crs=CRS)
    frame.to_file(path, layer=name, driver="GPKG", mode="a" if path.exists() else "w")
    return path


def total_area(path: Path, layer: str | None = None) -> float:
    """The area of all that is read."""
    return float(shapely.area(read_polygons(path, None, Layer(layer)).shapes).sum())


def test_several_layers_of_polygons_are_refused(tmp_path: Path) -> None:
    """With the name, number and type of all of them; the name of one chooses it."""
    path = tmp_path / "project.gpkg"
    add_layer(path, "site", shapely.box(0, 0, 100, 100))
    add_layer(path, "houses", HOUSE, HALL)
    add_layer(path, "trees", TREE)
    with pytest.raises(VectorError) as caught:
        read_polygons(path)

    assert caught.value.what == (
        f"{path} holds several layers of polygons: site (1 polygon), houses (2 polygons); "
        "besides trees (1 point)"
    )
    assert caught.value.remedy == "choose one, e.g. --layer houses"
    add_layer(path, "old town", HOUSE)
    with pytest.raises(VectorError, match=r"choose one, e\.g\. --layer 'old town'"):
        read_polygons(path)
    assert total_area(path, "houses") == 300
    assert read_polygons(path, None, Layer("houses")).notes == ()
    with pytest.raises(OptionError, match=r"--truth-layer roofs: .*it has site, houses, trees, old town"):
        read_polygons(path, None, Layer("roofs", "--truth-layer"))


@pytest.mark.parametrize("first", ["trees", "houses"])
def test_the_only_layer_of_polygons_is_read(tmp_path: Path, first: str) -> None:
    """Wherever it stands; one line says so and names the others."""
    path, layers = tmp_path / "p.gpkg", {"trees": [TREE, TREE], "houses": [HOUSE]}
    for name in sorted(layers, key=lambda name: name != first):
        add_layer(path, name, *layers[name])
    found = read_polygons(path)

    assert shapely.area(found.shapes).tolist() == [100]
    assert found.notes == (
        "p.gpkg: layer houses (1 polygon) is read, the only one with polygons; --layer reads another: "
        "trees (2 points)",
    )


def test_layers_of_any_type_are_looked_into(tmp_path: Path) -> None:
    """A layer may be declared to hold anything; empty ones and tables are no choice."""
    path = add_layer(tmp_path / "p.gpkg", "mixed", HOUSE, TREE)
    add_layer(path, "empty")
    pyogrio.write_dataframe(pd.DataFrame({"a": [1]}), path, layer="table", driver="GPKG", append=False)
    add_layer(path, "lines", ROAD, TREE)

    assert total_area(path) == 100
    with pytest.raises(VectorError, match=r"holds no polygons: 1 point, 1 line"):
        read_polygons(path, None, Layer("lines"))


def test_formats_without_layers_refuse_a_name(tmp_path: Path) -> None:
    """Rather than ignore it."""
    path = tmp_path / "v.geojson"
    path.write_text(shapely.to_geojson(HOUSE))

    with pytest.raises(OptionError, match=r"v\.geojson has a single layer"):
        read_polygons(path, None, Layer("houses"))


@pytest.mark.parametrize(
    ("shapes", "words"),
    [
        ([TREE, TREE], r"2 points \(buffer them first"),
        ([ROAD], r"1 line \(buffer them first"),
        ([shapely.LineString(HOUSE.exterior)], r"1 line \(turn closed lines into polygons"),
        ([None, shapely.Polygon()], r"2 features without geometry \(name a file"),
        ([shapely.GeometryCollection([TREE, ROAD])], r"1 collection \(buffer"),
        ([FLAT], r"1 polygon without area"),
    ],
)
@pytest.mark.parametrize("suffix", ["gpkg", "geojson"])
def test_files_without_polygons_are_refused(tmp_path: Path, shapes: Any, words: str, suffix: str) -> None:
    """With what they hold, and how polygons are made of it."""
    path = tmp_path / f"v.{suffix}"
    geopandas.GeoDataFrame(geometry=shapes, crs=CRS).to_file(path)

    with pytest.raises(VectorError, match=f"holds no polygons: {words}"):
        read_polygons(path)


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "parquet"])
def test_what_is_left_out_is_counted(tmp_path: Path, suffix: str) -> None:
    """Polygons are read, in collections too; all others are counted by type; crossing ones are mended."""
    deep = shapely.GeometryCollection([TREE, shapely.GeometryCollection([HALL, ROAD])])
    shapes = [HOUSE, TREE, None, BOW_TIE, deep, ROAD, FLAT, shapely.Polygon()]
    path, frame = tmp_path / f"v.{suffix}", geopandas.GeoDataFrame({"n": range(8)}, geometry=shapes, crs=CRS)
    frame.to_parquet(path) if suffix == "parquet" else frame.to_file(path)
    found = read_polygons(path)

    assert found.frame["n"].tolist() == [0, 3, 4]
    assert shapely.area(found.shapes).tolist() == [100, 8, 200]
    assert found.left_out == 5
    assert found.notes == (
        f"v.{suffix}: 3 polygons are read; left out: 1 point, 1 line, 2 features without geometry, "
        "1 polygon without area",
        f"v.{suffix}: 1 polygon that crosses itself is mended",
        f"v.{suffix}: of 1 collection with points or lines only the polygons are read",
    )


def test_parts_that_overlap_count_once(tmp_path: Path) -> None:
    """The oracle is the union: what two parts of a multipolygon share is no hole."""
    twice = shapely.MultiPolygon([HOUSE, shapely.box(5, 0, 15, 10)])
    geopandas.GeoDataFrame(geometry=[twice], crs=CRS).to_file(tmp_path / "v.gpkg")

    assert total_area(tmp_path / "v.gpkg") == 150


def test_heights_are_dropped(tmp_path: Path) -> None:
    """They change nothing in a plan."""
    geopandas.GeoDataFrame(geometry=[shapely.force_3d(HOUSE, 7)], crs=CRS).to_file(tmp_path / "v.gpkg")

    assert not shapely.has_z(read_polygons(tmp_path / "v.gpkg").shapes).any()


def test_curves_become_polygons(tmp_path: Path) -> None:
    """A circle of radius 1 has the area pi."""
    points = [(0.0, 0.0), (1.0, 1.0), (2.0, 0.0), (1.0, -1.0), (0.0, 0.0)]
    arc = struct.pack("<BII", 1, 8, len(points)) + b"".join(struct.pack("<dd", *xy) for xy in points)
    circle = struct.pack("<BII", 1, 10, 1) + arc
    shapes = np.array([circle], object)
    pyogrio.raw.write(
        tmp_path / "v.gpkg",
        shapes,
        [np.array([1])],
        ["n"],
        geometry_type="Unknown",
        crs=CRS,
        driver="GPKG",
    )

    assert abs(total_area(tmp_path / "v.gpkg") - np.pi) < 0.01


def test_polygons_without_a_place_in_the_crs_are_counted(tmp_path: Path) -> None:
    """A layer of the whole world over a scene of one zone."""
    near, pole = shapely.box(-15, 10, -14, 11), shapely.box(0, 95, 1, 96)
    geopandas.GeoDataFrame(geometry=[near, pole], crs="EPSG:4326").to_file(tmp_path / "v.gpkg")
    found = read_polygons(tmp_path / "v.gpkg", CRS)

    assert (len(found.frame), found.left_out) == (1, 1)
    assert found.notes == ("v.gpkg: left out: 1 polygon without a place in the CRS of the scene",)


COLUMNS: dict[str, tuple[list[Any], list[str | None]]] = {
    "code": ([1, None, 12], ["1", None, "12"]),
    "full": ([1, 2, 3], ["1", "2", "3"]),
    "big": ([2**62 + 1, None, 1], [str(2**62 + 1), None, "1"]),
    "flag": ([True, None, False], ["True", None, "False"]),
    "text": (["01", None, " a "], ["01", None, "a"]),
    "share": ([0.5, None, 2.0], ["0.5", None, "2.0"]),
    "whole": ([1.0, None, 2.0], ["1", None, "2"]),
    "blank": (["", None, "b"], [None, None, "b"]),
}


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", "geojson", "parquet"])
@pytest.mark.parametrize("name", COLUMNS)
def test_a_missing_value_changes_no_type(tmp_path: Path, suffix: str, name: str) -> None:
    """Integers, large ones and truths stay what they are; text that looks like a number too."""
    values, expected = COLUMNS[name]
    path, kind = tmp_path / f"v.{suffix}", {"code": "Int32", "big": "Int64", "flag": "boolean"}.get(name)
    column = pd.Series(values, dtype=kind) if kind else values
    frame = geopandas.GeoDataFrame({name: column}, geometry=[HOUSE, HALL, HOUSE], crs=CRS)
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "geojson":
        write_geojson(path, [{name: value} for value in values])
    else:
        pyogrio.write_dataframe(frame, path, use_arrow=True, **in_order(suffix))

    assert texts(read_polygons(path).frame[name]) == expected


def in_order(suffix: str) -> dict[str, str]:
    """FlatGeobuf sorts features by place, where it has an index."""
    return {"SPATIAL_INDEX": "NO"} if suffix == "fgb" else {}


def test_attributes_stay_with_their_polygons(tmp_path: Path) -> None:
    """Also where the file has an order of its own."""
    boxes = [
        shapely.box(x, y, x + 1 + n, y + 1)
        for n, (x, y) in enumerate(np.random.default_rng(1).uniform(0, 99, (50, 2)))
    ]
    geopandas.GeoDataFrame({"n": range(50)}, geometry=boxes, crs=CRS).to_file(tmp_path / "v.fgb")
    found = read_polygons(tmp_path / "v.fgb")

    np.testing.assert_allclose(shapely.area(found.shapes), 1 + found.frame["n"].to_numpy(float))


def write_geojson(path: Path, properties: list[dict[str, Any]]) -> None:
    """Write features with these properties as they are."""
    features = [
        {"type": "Feature", "properties": about, "geometry": shapely.geometry.mapping(HOUSE)}
        for about in properties
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


@pytest.mark.parametrize("suffix", ["gpkg", "fgb", "shp"])
def test_dates_have_no_time(tmp_path: Path, suffix: str) -> None:
    """As they stand in the file."""
    path = tmp_path / f"v.{suffix}"
    days = pd.Series([date(2024, 5, 1), None], dtype=object)
    frame = geopandas.GeoDataFrame({"day": days}, geometry=[HOUSE, HALL], crs=CRS)
    pyogrio.write_dataframe(frame, path, use_arrow=True, **in_order(suffix))

    assert texts(read_polygons(path).frame["day"]) == ["2024-05-01", None]


@pytest.mark.parametrize("values", [pd.Series([1, None], dtype="Int64"), pd.Series([1.0, None])])
def test_numbers_with_gaps(values: Any) -> None:
    """A missing confidence is NaN."""
    np.testing.assert_array_equal(decimals(values), [1.0, np.nan])


def test_features_lack_properties(tmp_path: Path) -> None:
    """GeoJSON features may name different ones, or none."""
    write_geojson(tmp_path / "v.geojson", [{"a": 1}, {}, {"b": "x"}])
    frame = read_polygons(tmp_path / "v.geojson").frame

    assert (texts(frame["a"]), texts(frame["b"])) == (["1", None, None], [None, None, "x"])


def test_several_geometries_of_a_feature(tmp_path: Path) -> None:
    """GeoParquet may hold more than one: its own is read, and one line says so."""
    frame = geopandas.GeoDataFrame(geometry=[HOUSE, HALL], crs=CRS)
    frame["centre"] = frame.centroid
    frame.to_parquet(tmp_path / "v.parquet")

    assert read_polygons(tmp_path / "v.parquet").notes == (
        "v.parquet: of several geometries geometry is read, not centre",
    )
