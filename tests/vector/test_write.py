"""Polygon files: every format read back, GeoJSON by the rules of RFC 7946, styles, all or nothing."""

from __future__ import annotations

import json
import re
import sqlite3
from itertools import pairwise
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from geoseg.core import VectorOptions
from geoseg.errors import OutputError
from geoseg.vector.formats.geojson import to_rfc7946
from tests.vector.files import PLAIN, layout, read, write
from tests.vector.tracing import blobs, trace

FORMATS = (".gpkg", ".geojson", ".fgb", ".parquet")
COLUMNS = [
    "id", "class", "building", "confidence", "confidence_min", "area_m2", "perimeter_m", "compactness",
    "touches_edge", "regularized", "scene", "acquired", "bundle", "run", "geometry",
]  # fmt: skip


def _labels(size=400):
    labels = blobs(size, 30)
    labels[-60:, :90] = 2
    return labels


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_is_read_back(tmp_path, suffix):
    """Count, area, CRS, attributes."""
    labels, target = _labels(), tmp_path / f"scene_polygons{suffix}"
    (output, *_) = write(labels, [target], bundle="b", run="r", acquired="2024-05-01")
    frame = read(target)
    parts = trace(labels)

    assert len(parts) == len(frame) == output.summary["building"] + output.summary["water"]
    assert COLUMNS == [c for c in frame.columns if c != "bbox"]
    assert sorted(range(1, len(parts) + 1)) == sorted(frame["id"])
    assert int((labels > 0).sum()) / 4 == pytest.approx(frame.to_crs(32628).area.sum(), rel=1e-4)
    assert (4326 if suffix == ".geojson" else 32628) == frame.crs.to_epsg()
    assert {"building", "water"} == set(frame["class"])
    assert ["yes"] == frame["building"][frame["class"] == "building"].unique().tolist()
    assert frame["building"][frame["class"] == "water"].isna().all()
    assert [0.8] == frame["confidence"].unique().tolist() == frame["confidence_min"].unique().tolist()
    assert [("scene", "2024-05-01", "b", "r")] == list(
        {tuple(row) for row in frame[["scene", "acquired", "bundle", "run"]].astype(str).values}
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_nothing_found_is_a_valid_file(tmp_path, suffix):
    """With its columns, where the format has columns."""
    target = tmp_path / f"scene_polygons{suffix}"
    write(np.zeros((50, 50), np.uint8), [target])
    frame = read(target)

    assert 0 == len(frame)
    if suffix != ".geojson":
        assert COLUMNS == [c for c in frame.columns if c != "bbox"]


def _winding(ring):
    return sum((x1 - x0) * (y1 + y0) for (x0, y0), (x1, y1) in pairwise(ring))


def _check_rfc7946(path):
    """An independent reading of RFC 7946; gives the polygons."""
    text = path.read_text(encoding="utf-8")
    data = json.loads(text)
    assert "FeatureCollection" == data["type"]
    assert {"type", "features"} == set(data)
    polygons = []
    for feature in data["features"]:
        assert {"type", "id", "properties", "geometry"} == set(feature)
        geometry = feature["geometry"]
        assert geometry["type"] in ("Polygon", "MultiPolygon")
        parts = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
        for part in parts:
            for number, ring in enumerate(part):
                assert len(ring) >= 4
                assert ring[0] == ring[-1]
                assert (_winding(ring) < 0) == (number == 0), "outer rings turn left, holes right"
                assert all(-180 <= x <= 180 and -90 <= y <= 90 for x, y in ring)
            xs = [x for x, _ in part[0]]
            assert max(xs) - min(xs) < 180, "not across the antimeridian"
            polygons.append(shapely.Polygon(part[0], part[1:]))
    decimals = [len(d) for d in re.findall(r"\[-?\d+\.(\d+),", text)]
    assert max(decimals, default=0) <= 7
    assert all(p.is_valid for p in polygons)
    return polygons


@pytest.mark.parametrize(
    ("crs", "transform"),
    [
        ("EPSG:32628", (0.5, 0, 5e5, 0, -0.5, 4e6)),
        ("EPSG:32628", (0.5, 0, 5e5, 0, 0.5, 4e6)),
        ("EPSG:32628", (0.4, 0.3, 5e5, 0.3, -0.4, 4e6)),
        ("EPSG:4326", (1e-5, 0, 179.998, 0, -1e-5, 60.0)),
        ("EPSG:3857", (1.0, 0, -20037600, 0, -1.0, 1e6)),
        ("EPSG:32601", (1.0, 0, 166000, 0, -1.0, 100)),
        ("EPSG:2263", (1.0, 0, 1e6, 0, -1.0, 2e5)),
    ],
)
def test_geojson_follows_its_rules(tmp_path, crs, transform):
    """In any CRS, across the antimeridian, south up and turned."""
    labels, target = _labels(), tmp_path / "a_polygons.geojson"
    plan = layout(labels.shape, CRS(crs).to_wkt(), transform)
    write(labels, [target, tmp_path / "a.parquet"], plan)
    polygons = _check_rfc7946(target)
    expected = read(tmp_path / "a.parquet")["area_m2"].sum()
    frame = read(target)

    assert len(polygons) >= len(trace(labels))
    assert expected == pytest.approx(frame.to_crs("ESRI:54034").area.sum(), rel=1e-3)


def test_the_same_strips_give_the_same_bytes(tmp_path):
    """GeoJSON byte for byte, GeoPackage row for row, whatever the strips' heights."""
    labels = _labels()
    for name, heights in (("a", (40,)), ("b", (7, 90))):
        (tmp_path / name).mkdir()
        write(labels, [tmp_path / name / "s.geojson", tmp_path / name / "s.gpkg"], heights=heights)
    rows = []
    for name in "ab":
        with sqlite3.connect(tmp_path / name / "s.gpkg") as base:
            rows.append(base.execute("select * from s").fetchall())

    assert (tmp_path / "a/s.geojson").read_bytes() == (tmp_path / "b/s.geojson").read_bytes()
    assert rows[0] == rows[1]


def test_styles_are_in_the_geopackage(tmp_path):
    """Registered, well-formed, the one by class being the default."""
    target = tmp_path / "scene_polygons.gpkg"
    write(_labels(), [target])
    with sqlite3.connect(target) as base:
        styles = base.execute(
            "select f_table_name, f_geometry_column, styleName, styleQML, useAsDefault, update_time "
            "from layer_styles"
        ).fetchall()
        kinds = dict(base.execute("select table_name, data_type from gpkg_contents").fetchall())
        index = base.execute("select count(*) from rtree_scene_polygons_geometry").fetchone()
        tables = {row[0] for row in base.execute("select f_table_name from layer_styles")}

    assert {"scene_polygons": "features", "layer_styles": "attributes"} == kinds
    assert {"scene_polygons"} == tables
    assert [1, 0] == [style[4] for style in styles]
    assert (len(trace(_labels())),) == index
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", style[5]) for style in styles)
    renderers = [ET.fromstring(style[3]).find("renderer-v2").get("attr") for style in styles]
    assert ["class", "confidence"] == renderers
    assert ["building", "water"] == [
        item.get("value") for item in ET.fromstring(styles[0][3]).iter("category")
    ]


def test_geoparquet_says_what_it_holds(tmp_path):
    """Version 1.1, WKB, a covering that encloses every polygon."""
    target = tmp_path / "p.parquet"
    write(_labels(), [target])
    table = pq.read_table(target)
    geo = json.loads(pq.read_metadata(target).metadata[b"geo"])
    column = geo["columns"][geo["primary_column"]]
    boxes = np.array([list(box.values()) for box in table["bbox"].to_pylist()])

    assert "1.1.0" == geo["version"]
    assert ("WKB", ["Polygon"]) == (column["encoding"], column["geometry_types"])
    assert "WGS 84 / UTM zone 28N" == column["crs"]["name"]
    assert shapely.bounds(shapely.from_wkb(table["geometry"].to_pylist())).tolist() == boxes.tolist()


def test_thresholds_act_after_the_join(tmp_path):
    """A building that lies in many strips is kept for its whole area; in pixels where there is no CRS."""
    labels = np.zeros((100, 60), np.uint8)
    labels[10:90, 10:20] = 1  # 800 pixels = 200 m²
    labels[10:30, 40:50] = 1  # 50 m²
    options = VectorOptions(min_area_m2=100, simplify_m=0, regularize=False)
    for number, plan in enumerate((layout(labels.shape), layout(labels.shape, None))):
        (output,) = write(labels, [tmp_path / f"{number}.gpkg"], plan, options, heights=(8,))
        assert (1, 2)[number] == output.summary["building"]


def test_without_a_crs_sizes_are_in_pixels(tmp_path):
    """And their columns say so."""
    labels = np.zeros((30, 30), np.uint8)
    labels[5:15, 5:25] = 1
    write(labels, [tmp_path / "s.fgb"], layout(labels.shape, None))
    frame = read(tmp_path / "s.fgb")

    assert [(200.0, 60.0)] == list(zip(frame["area_px"], frame["perimeter_px"], strict=True))
    assert frame.crs is None


@pytest.mark.parametrize("seed", range(4))
def test_objects_of_many_parts_beside_others(tmp_path, seed):
    """With 8-connectivity and outlines redrawn, parts of an object need not follow each other."""
    labels = np.random.default_rng(seed).integers(0, 3, (24, 24), dtype=np.uint8).repeat(3, 0).repeat(3, 1)
    target = tmp_path / "eight.gpkg"
    write(labels, [target], options=VectorOptions(connectivity=8))
    frame = read(target)

    parts = trace(labels, connectivity=8)
    assert len(set(zip(parts.group, parts.object, strict=True))) == len(frame)
    assert frame.is_valid.all()


def test_eight_connected_objects_are_multipolygons(tmp_path):
    """Two squares that touch at a corner are one object."""
    labels = np.zeros((30, 30), np.uint8)
    labels[5:10, 5:10] = labels[10:15, 10:15] = 1
    options = VectorOptions(connectivity=8, simplify_m=0, regularize=False)
    targets = [tmp_path / f"s{suffix}" for suffix in FORMATS]
    write(labels, targets, options=options)

    for target in targets:
        frame = read(target)
        assert ["MultiPolygon"] == frame.geom_type.tolist()
        assert [12.5] == frame["area_m2"].round(1).tolist()


def test_a_file_that_is_there_stays(tmp_path):
    """Nothing is replaced unasked, nothing is left behind."""
    (tmp_path / "s.gpkg").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        write(_labels(), [tmp_path / "s.gpkg"])

    assert ["s.gpkg"] == [p.name for p in tmp_path.iterdir()]
    with pytest.raises(OutputError, match="no known format"):
        write(_labels(), [tmp_path / "s.kml"])


def test_no_temporary_file_is_left(tmp_path):
    """After all is done there are the files that were asked for, and only they."""
    write(_labels(), [tmp_path / f"s{suffix}" for suffix in FORMATS], options=PLAIN)

    names = [f"s{suffix}" for suffix in sorted((*FORMATS, ".qml"))]
    assert names == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_style_is_at_hand(tmp_path, suffix):
    """Inside a GeoPackage, else beside the file under the name that QGIS looks for; not replaced unasked."""
    target = tmp_path / f"p{suffix}"
    outputs = write(_labels(), [target])
    style = tmp_path / "p.qml"

    assert (suffix != ".gpkg") == style.exists() == ("style" in [output.kind for output in outputs])
    if style.exists():
        renderer = ET.fromstring(style.read_text()).find("renderer-v2")
        assert ("categorizedSymbol", "class") == (renderer.get("type"), renderer.get("attr"))
        assert ["building", "water"] == [item.get("value") for item in renderer.iter("category")]
        target.unlink()
        with pytest.raises(OutputError, match=r"p\.qml exists"):
            write(_labels(), [target])
        assert ["p.qml"] == [p.name for p in tmp_path.iterdir()]


def test_the_style_of_a_raster_is_left_alone(tmp_path):
    """A mask and its polygons of one name: QGIS would draw the one by the other's style."""
    (tmp_path / "m.tif").write_text("pixels")
    (tmp_path / "m.qml").write_text("for pixels")
    write(_labels(), [tmp_path / "m.geojson"])

    assert "for pixels" == (tmp_path / "m.qml").read_text()


@pytest.mark.parametrize("box", [(200, 91, 201, 92), (10, 89, 11, 91), (10, -1e9, 11, 0)])
def test_what_lies_nowhere_on_earth_has_no_place(box):
    """A CRS that does not fit its coordinates: nothing in GeoJSON, no crash."""
    nowhere = np.array([shapely.box(*box), shapely.box(10, 10, 11, 11)], object)
    assert [True, False] == shapely.is_empty(to_rfc7946(nowhere, "EPSG:4326")).tolist()


@given(st.integers(0, 2**32 - 1))
def test_geojson_is_valid_where_outlines_nearly_touch(seed):
    """Corners less than a centimetre from other edges, on either side of them, once rounded to degrees."""
    rng = np.random.default_rng(seed)
    near = rng.uniform(-1e-3, 1e-3, (6, 2))
    shell = [(0, 0), (20, 3), (20, 20), near[0] + (10, 1.5), near[1] + (9, 20), near[2] + (4, 0.6)]
    hole = [near[3] + (15, 11), near[4] + (18, 12), near[5] + (20, 14)]
    place = np.array([457_000.0, 3_100_000.0])
    shapes = shapely.transform(np.array([shapely.Polygon(shell, [hole])]), lambda xy: xy + place)
    (written,) = to_rfc7946(shapes, CRS.from_epsg(32628).to_wkt())

    assert shapely.is_valid(written)
    assert written.geom_type in ("Polygon", "MultiPolygon")


def test_the_summary_adds_up(tmp_path):
    """With the background traced too, its polygons are counted as their area is."""
    labels = blobs(200, 4)
    (output, *_) = write(
        labels,
        [tmp_path / "p.parquet"],
        options=VectorOptions(simplify_m=0, regularize=False, background=True),
    )
    frame = read(tmp_path / "p.parquet")
    counted = [n for name, n in output.summary.items() if name != "area_m2"]

    assert "background" in output.summary
    assert sum(counted) == len(frame)
    assert output.summary["area_m2"] == pytest.approx(frame["area_m2"].sum(), abs=0.01)
