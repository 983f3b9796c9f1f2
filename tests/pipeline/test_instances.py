"""Rasters of object numbers to polygons, and back."""

from __future__ import annotations

from dataclasses import replace

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rasterio.features import shapes
from rasterio.transform import Affine

from geoseg.cli.main import cli
from geoseg.core import VectorOptions
from geoseg.core.objects import ObjectList, ObjectRows
from geoseg.errors import OptionError, SceneError, VectorError
from geoseg.pipeline.rasterize import RasterizeOptions, rasterize
from geoseg.pipeline.vectorize import VectorizeListener, VectorizeOptions, vectorize
from geoseg.raster.value_mapping import ValueOptions
from geoseg.vector.instances.object_ids import ObjectLayout, ObjectStream, object_settings
from tests.vector.files import layout, read
from tests.vector.tracing import bands

PLACE = Affine(0.5, 0, 5e5, 0, -0.5, 4e6)
OBJECTS = VectorizeOptions(instances=True)


def _raster(path, pixels, **profile):
    profile = {"driver": "GTiff", "dtype": pixels.dtype, "crs": "EPSG:32628", "transform": PLACE, **profile}
    height, width = pixels.shape
    with rasterio.open(path, "w", height=height, width=width, count=1, **profile) as out:
        out.write(pixels, 1)
    return path


def _pixels(path):
    with rasterio.open(path) as src:
        return src.read(1)


def _touching(dtype="uint16"):
    """361 objects of 7 x 6 pixels that touch in columns, 2 pixels between the columns."""
    numbers = np.zeros((19 * 7, 19 * 8), dtype)
    for place in range(361):
        row, col = divmod(place, 19)
        numbers[row * 7 : row * 7 + 7, col * 8 : col * 8 + 6] = place + 1
    return numbers


def _expected(numbers, valid, transform=PLACE):
    """Union of what rasterio finds, by number."""
    found = {}
    for geometry, value in shapes(numbers.astype(np.int32), valid & (numbers != 0), transform=transform):
        found.setdefault(int(value), []).append(shapely.geometry.shape(geometry))
    return {number: shapely.MultiPolygon(parts) for number, parts in found.items()}


def _same(expected, frame):
    assert sorted(expected) == sorted(frame["id"])
    for number, shape in zip(frame["id"], frame.geometry, strict=True):
        assert shape.is_valid
        assert shapely.equals(shapely.normalize(expected[number]), shapely.normalize(shape))


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int32"])
def test_touching_objects_stay_apart(tmp_path, dtype):
    """As many polygons as rasterio.features.shapes finds, each with its number; and the raster again."""
    numbers = _touching(dtype)
    raster = _raster(tmp_path / "ids.tif", numbers)
    told = []
    (output,) = vectorize(raster, [tmp_path / "p.gpkg"], OBJECTS, VectorizeListener(told.append))
    done = rasterize(tmp_path / "p.gpkg", raster, tmp_path / "again.tif", RasterizeOptions("id"))

    frame = read(tmp_path / "p.gpkg")
    assert 361 == len(frame) == output.summary["object"]
    assert {"MultiPolygon"} == set(frame.geom_type)
    _same(_expected(numbers, numbers >= 0), frame)
    assert any("361 object numbers in band 1 of 1" in line for line in told)
    again = _pixels(tmp_path / "again.tif")
    assert "uint32" == again.dtype
    assert numbers.tolist() == again.tolist()
    assert {"objects": 361} == done.outputs[0].summary
    assert any("uint32" in line for line in done.told)


def test_a_byte_raster_of_few_objects(tmp_path):
    """Numbers below 250 come back by --instances, which takes the field id."""
    numbers = np.zeros((20, 30), np.uint8)
    numbers[2:9, 2:9], numbers[2:9, 9:20] = 1, 249
    raster = _raster(tmp_path / "ids.tif", numbers)
    vectorize(raster, [tmp_path / "p.gpkg"], OBJECTS)
    rasterize(tmp_path / "p.gpkg", raster, tmp_path / "again.tif", RasterizeOptions(instances=True))

    assert [1, 249] == sorted(read(tmp_path / "p.gpkg")["id"])
    assert "uint32" == _pixels(tmp_path / "again.tif").dtype
    assert numbers.tolist() == _pixels(tmp_path / "again.tif").tolist()


def test_components_of_one_number_are_one_feature(tmp_path):
    """However far apart, and whatever lies between; area and pixels add up."""
    numbers = np.zeros((60, 40), np.uint16)
    numbers[2:5, 2:5] = numbers[50:58, 30:38] = 7
    numbers[10:40, 5:35], numbers[20:25, 10:15] = 900, 7
    vectorize(_raster(tmp_path / "ids.tif", numbers), [tmp_path / "p.gpkg"], OBJECTS)

    frame = read(tmp_path / "p.gpkg").set_index("id")
    assert [7, 900] == sorted(frame.index)
    assert 3 == len(frame.geometry[7].geoms)
    assert (numbers == 7).sum() * 0.25 == pytest.approx(frame["area_m2"][7], rel=1e-3)
    assert 1 == len(frame.geometry[900].geoms[0].interiors)


@given(
    arrays(np.int64, (17, 23), elements=st.sampled_from([-1, 0, 1, 2, 300, 2**31 + 5])),
    st.lists(st.integers(1, 9), min_size=1, max_size=4),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_strips_do_not_show(numbers, heights, redrawn):
    """Features and their order are those of the whole raster; -1 stands for no data."""
    listed = np.unique(numbers[numbers > 0], return_counts=True)
    found = ObjectLayout(layout(numbers.shape).source, ObjectList(*listed))
    options = VectorOptions(simplify_m=0, regularize=redrawn)

    def features(heights):
        stream = ObjectStream(found, object_settings(options, has_crs=True))
        batches = []
        for start, stop in bands(len(numbers), heights):
            rows = numbers[start:stop]
            batches += stream.add(ObjectRows(start, rows, rows >= 0))
        batches += stream.finish()
        return [
            (int(n), wkb, bool(t))
            for batch in batches
            for n, wkb, t in zip(batch.numbers, shapely.to_wkb(batch.geometry), batch.touches, strict=True)
        ]

    assert features([len(numbers)]) == features(heights)
    if not redrawn:
        codes = np.searchsorted(listed[0], numbers) + 1
        expected = _expected(np.where(numbers > 0, codes, 0), numbers >= 0, Affine(*found.source.transform))
        expected = {int(listed[0][code - 1]): shape for code, shape in expected.items()}
        frame = geopandas.GeoDataFrame(
            {"id": [n for n, *_ in features(heights)]},
            geometry=shapely.from_wkb([wkb for _, wkb, _ in features(heights)]),
        )
        _same(expected, frame)


def test_no_data_is_no_object_and_comes_back(tmp_path):
    """Where the raster declares it; polygons that touch it say that they are cut off."""
    numbers = _touching()
    numbers[:20] = 65535
    raster = _raster(tmp_path / "ids.tif", numbers, nodata=65535)
    vectorize(raster, [tmp_path / "p.gpkg"], OBJECTS)
    rasterize(tmp_path / "p.gpkg", raster, tmp_path / "again.tif", RasterizeOptions("id"))

    frame = read(tmp_path / "p.gpkg").set_index("id")
    kept = np.setdiff1d(numbers, [0, 65535])
    assert kept.tolist() == sorted(frame.index)
    assert frame["touches_edge"][int(numbers[20, 10])]
    assert not frame["touches_edge"][int(numbers[60, 60])]
    assert numbers.tolist() == _pixels(tmp_path / "again.tif").tolist()


def test_straight_only_where_asked(tmp_path):
    """Nobody has said that objects have right angles; neighbours keep their shared edges."""
    numbers = _touching()
    raster = _raster(tmp_path / "ids.tif", numbers)
    vectorize(raster, [tmp_path / "a.gpkg"], OBJECTS)
    vectorize(raster, [tmp_path / "b.gpkg"], replace(OBJECTS, vectors=VectorOptions(regularize=True)))

    assert not read(tmp_path / "a.gpkg")["regularized"].any()
    straight = read(tmp_path / "b.gpkg")
    assert straight["regularized"].all()
    assert list(range(1, 362)) == sorted(straight["id"])


def test_small_objects_are_left_out_whole(tmp_path):
    """The smallest area acts on all components of a number together: 2 x 6 px of 0.25 m2 are 3 m2."""
    numbers = np.zeros((40, 40), np.uint16)
    numbers[2:5, 2:4] = numbers[30:33, 30:32] = 5
    numbers[10:12, 10:14] = 6
    options = replace(OBJECTS, vectors=VectorOptions(min_area_m2=2.5))
    vectorize(_raster(tmp_path / "ids.tif", numbers), [tmp_path / "p.gpkg"], options)

    assert [5] == read(tmp_path / "p.gpkg")["id"].tolist()


def test_more_values_than_classes_name_the_way(tmp_path):
    """Not the threshold, which would merge what touches."""
    raster = _raster(tmp_path / "ids.tif", _touching())
    with pytest.raises(SceneError, match="use --instances for object numbers"):
        vectorize(raster, [tmp_path / "p.gpkg"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"values": ValueOptions(threshold=0.5)}, "--instances with --threshold"),
        ({"values": ValueOptions(values=((1, "a"),))}, "--instances with --value"),
        ({"vectors": VectorOptions(connectivity=8)}, "--instances with --connectivity 8"),
        ({"vectors": VectorOptions(split_touching=True)}, "--instances with --split-touching"),
        ({"vectors": VectorOptions(background=True)}, "--instances with --background"),
    ],
)
def test_what_does_not_go_together(options, words):
    """Is refused by name."""
    with pytest.raises(OptionError, match=words):
        VectorizeOptions(instances=True, **options)


def test_what_holds_no_numbers(tmp_path):
    """Scores, and numbers below zero that are not declared as no data: one line with the way out."""
    scores = _raster(tmp_path / "f.tif", np.full((9, 9), 0.5, np.float32))
    below = _raster(tmp_path / "n.tif", np.full((9, 9), -1, np.int32))
    with pytest.raises(SceneError, match="float32 values are no object numbers"):
        vectorize(scores, [tmp_path / "p.gpkg"], OBJECTS)
    with pytest.raises(SceneError, match="declare it as no data"):
        vectorize(below, [tmp_path / "p.gpkg"], OBJECTS)


@pytest.mark.parametrize("numbers", [[0, 300], [-4, 300], [1.5, 300.0], [1.0, 5e9]])
def test_numbers_that_no_raster_holds(tmp_path, numbers):
    """Whole numbers from 1 to 2**32 - 1."""
    like = _raster(tmp_path / "like.tif", np.zeros((9, 9), np.uint8))
    boxes = [shapely.box(5e5, 4e6 - 2, 5e5 + 2, 4e6)] * 2
    geopandas.GeoDataFrame({"n": numbers}, geometry=boxes, crs="EPSG:32628").to_file(tmp_path / "p.gpkg")
    with pytest.raises(VectorError, match="is no class and no object number"):
        rasterize(tmp_path / "p.gpkg", like, tmp_path / "m.tif", RasterizeOptions("n"))


def test_by_command(tmp_path, monkeypatch):
    """There and back; what was taken is said on stderr."""
    monkeypatch.chdir(tmp_path)
    numbers = _touching()
    _raster(tmp_path / "ids.tif", numbers)
    runner = CliRunner()
    there = runner.invoke(cli, ["vectorize", "ids.tif", "--instances", "-o", "p.gpkg"])
    arguments = ["rasterize", "p.gpkg", "--field", "id", "--like", "ids.tif", "-o", "b.tif"]
    back = runner.invoke(cli, arguments)

    assert (0, 0) == (there.exit_code, back.exit_code)
    assert "361 polygons (object)" in there.stdout
    assert "361 object numbers up to 361: written as uint32, 0 is none" in back.stderr
    assert numbers.tolist() == _pixels(tmp_path / "b.tif").tolist()
