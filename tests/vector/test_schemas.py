"""Polygon files by validators that know nothing of geoseg, and against schemas written from the standards."""

from __future__ import annotations

import json

import geojson_validator
import geoparquet_validator
import numpy as np
import pyarrow.parquet as pq
import pytest
from jsonschema import Draft202012Validator
from pyproj import CRS

from geoseg.core import VectorOptions
from tests.vector.files import PLAIN, layout, write
from tests.vector.tracing import blobs

POSITION = {
    "type": "array",
    "prefixItems": [
        {"type": "number", "minimum": -180, "maximum": 180},
        {"type": "number", "minimum": -90, "maximum": 90},
    ],
    "minItems": 2,
    "maxItems": 2,
}
RING = {"type": "array", "items": POSITION, "minItems": 4}
POLYGON = {"type": "array", "items": RING, "minItems": 1}


def _typed(name, coordinates):
    return {
        "type": "object",
        "required": ["type", "coordinates"],
        "properties": {"type": {"const": name}, "coordinates": coordinates},
        "additionalProperties": False,
    }


GEOJSON = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"const": "FeatureCollection"},
        "features": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "geometry", "properties"],
                "properties": {
                    "type": {"const": "Feature"},
                    "id": {"type": ["string", "number"]},
                    "properties": {"type": ["object", "null"]},
                    "geometry": {
                        "oneOf": [
                            _typed("Polygon", POLYGON),
                            _typed("MultiPolygon", {"type": "array", "items": POLYGON}),
                        ]
                    },
                },
                "additionalProperties": False,
            },
        },
    },
    # RFC 7946, 4 and 7.1: no CRS member, and none of another type's members
    "not": {"anyOf": [{"required": [name]} for name in ("crs", "coordinates", "geometry", "properties")]},
}
"""RFC 7946, sections 3 and 4, for polygons."""

PATH = {"type": "array", "items": {"type": "string"}, "minItems": 2, "maxItems": 2}
KINDS = [
    "Point",
    "LineString",
    "Polygon",
    "MultiPoint",
    "MultiLineString",
    "MultiPolygon",
    "GeometryCollection",
]
GEOPARQUET = {
    "type": "object",
    "required": ["version", "primary_column", "columns"],
    "properties": {
        "version": {"const": "1.1.0"},
        "primary_column": {"type": "string", "minLength": 1},
        "columns": {
            "type": "object",
            "minProperties": 1,
            "patternProperties": {
                ".+": {
                    "type": "object",
                    "required": ["encoding", "geometry_types"],
                    "properties": {
                        "encoding": {"enum": ["WKB", "polygon", "multipolygon"]},
                        "geometry_types": {"type": "array", "items": {"enum": KINDS}, "uniqueItems": True},
                        "crs": {
                            "oneOf": [
                                {"type": "null"},
                                {"type": "object", "required": ["type", "name"]},
                            ]
                        },
                        "edges": {"enum": ["planar", "spherical"]},
                        "orientation": {"const": "counterclockwise"},
                        "bbox": {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4},
                        "epoch": {"type": "number"},
                        "covering": {
                            "type": "object",
                            "required": ["bbox"],
                            "properties": {
                                "bbox": {
                                    "type": "object",
                                    "required": ["xmin", "xmax", "ymin", "ymax"],
                                    "properties": {
                                        name: {**PATH, "prefixItems": [{}, {"const": name}]}
                                        for name in ("xmin", "xmax", "ymin", "ymax")
                                    },
                                }
                            },
                        },
                    },
                }
            },
            "additionalProperties": False,
        },
    },
}
"""GeoParquet 1.1.0, its schema of the "geo" metadata."""

CASES = {
    "pixels": (PLAIN, "EPSG:32628", (0.5, 0, 5e5, 0, -0.5, 4e6)),
    "regularised": (VectorOptions(), "EPSG:32628", (0.5, 0, 5e5, 0, -0.5, 4e6)),
    "antimeridian": (VectorOptions(simplify_m=2.0), "EPSG:4326", (1e-5, 0, 179.998, 0, -1e-5, 60.0)),
    "eight": (VectorOptions(connectivity=8), "EPSG:3857", (0.5, 0, 5e5, 0, -0.5, 4e6)),
}


@pytest.fixture(params=CASES)
def files(request, tmp_path):
    """GeoJSON and GeoParquet of the same polygons."""
    options, crs, transform = CASES[request.param]
    labels = blobs(400, 30)
    labels[-60:, :90] = 2
    labels[100:110, 100:110] = 0
    plan = layout(labels.shape, CRS(crs).to_wkt(), transform)
    targets = [tmp_path / "p.geojson", tmp_path / "p.parquet"]
    write(labels, targets, plan, options)
    return targets


def test_geojson_by_its_schema(files):
    """RFC 7946."""
    data = json.loads(files[0].read_text(encoding="utf-8"))
    Draft202012Validator(GEOJSON).validate(data)
    assert data["features"]


def test_geoparquet_by_its_schema(files):
    """Version 1.1, and the covering names a column of four doubles without gaps."""
    geo = json.loads(pq.read_metadata(files[1]).metadata[b"geo"])
    Draft202012Validator(GEOPARQUET).validate(geo)
    box = pq.read_schema(files[1]).field("bbox").type

    assert {"xmin", "ymin", "xmax", "ymax"} == {field.name for field in box}
    assert 0 == pq.read_table(files[1])["bbox"].null_count


@pytest.mark.parametrize("options", [PLAIN, VectorOptions()])
def test_nothing_found_is_valid_too(tmp_path, options):
    """Empty files keep to their schemas."""
    write(np.zeros((50, 50), np.uint8), [tmp_path / "p.geojson", tmp_path / "p.parquet"], options=options)
    geojson = json.loads((tmp_path / "p.geojson").read_text())
    geo = json.loads(pq.read_metadata(tmp_path / "p.parquet").metadata[b"geo"])

    assert [] == geojson["features"]
    assert Draft202012Validator(GEOJSON).is_valid(geojson)
    assert Draft202012Validator(GEOPARQUET).is_valid(geo)
    assert {} == _complaints(geojson)
    assert [] == geoparquet_validator.failed(geoparquet_validator.check(str(tmp_path / "p.parquet")))


FAULTS = (
    "inner_and_exterior_ring_intersect",
    "self_intersection",
    "duplicate_nodes",
    "3d_coordinates",
    "outside_lat_lon_boundaries",
)
"""That the standard allows and programs stumble over. Not asked for: courtyards and the seventh decimal,
which are wanted, and crossing the antimeridian, where the validator takes 180 for -180."""


def _complaints(data):
    """What the validator finds in GeoJSON."""
    geojson_validator.configure_logging(enabled=False)
    found = geojson_validator.validate_geometries(data, criteria_problematic=FAULTS)
    structure = geojson_validator.validate_structure(data, check_crs=True)
    return structure | found["invalid"] | found["problematic"]


def test_geojson_by_a_validator(files):
    """Structure, closed rings, their directions, their places."""
    data = json.loads(files[0].read_text(encoding="utf-8"))
    assert {} == _complaints(data)

    geometry = data["features"][0]["geometry"]
    rings = geometry["coordinates"] if geometry["type"] == "Polygon" else geometry["coordinates"][0]
    rings[0] = rings[0][::-1]
    assert _complaints(data)


def test_geoparquet_by_its_validator(files, request):
    """Of those who wrote the standard: the core of version 1.1, and the covering."""
    report = geoparquet_validator.check(str(files[1]))
    # polygons keep the coordinates of their scene, here on both sides of 180 degrees
    beyond = (
        {"/conf/core/axis-order", "/conf/core/bbox-crs"} if "antimeridian" in request.node.name else set()
    )
    passed = {found["id"].split("/")[2] for found in report["outcomes"] if found["status"] == "pass"}

    assert beyond == set(geoparquet_validator.failed(report))
    assert {"core", "covering"} <= passed


def test_the_schemas_notice_faults():
    """A validator that lets everything pass would show nothing."""
    bad = {"type": "FeatureCollection", "features": [], "crs": {"type": "name"}}
    assert not Draft202012Validator(GEOJSON).is_valid(bad)
    assert not Draft202012Validator(GEOPARQUET).is_valid({"version": "1.1.0", "columns": {}})
