"""Polygons back to masks."""

from __future__ import annotations

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize as burn
from rasterio.transform import Affine

from geoseg.core import Strip, VectorOptions
from geoseg.errors import OptionError, OutputError, VectorError
from geoseg.pipeline.rasterize import RasterizeOptions, rasterize
from geoseg.pipeline.tiles import mosaic_tiles
from geoseg.pipeline.vectorize import VectorizeOptions, vectorize
from geoseg.raster import MaskSink
from tests.laws.test_strips_join import masks
from tests.vector.files import PLAIN, layout
from tests.vector.tracing import blobs

EIGHT = VectorOptions(simplify_m=0, regularize=False, connectivity=8)
PLACE = Affine(0.5, 0, 5e5, 0, -0.5, 4e6)


def _mask(path, labels):
    """A mask as geoseg writes it: classes building (1) and water (2)."""
    sink = MaskSink(path, layout(labels.shape), {}, overwrite=True)
    sink.add(Strip(0, labels, np.zeros((0, *labels.shape), np.uint8)))
    sink.finish()
    sink.commit()
    return path


def _raster(path, pixels, crs="EPSG:32628", **profile):
    profile = {
        "driver": "GTiff",
        "count": 1,
        "dtype": pixels.dtype,
        "crs": crs,
        "transform": PLACE,
        **profile,
    }
    with rasterio.open(path, "w", height=pixels.shape[0], width=pixels.shape[1], **profile) as out:
        out.write(pixels, 1)
    return path


def _pixels(path):
    with rasterio.open(path) as src:
        return src.read(1)


def _polygons(path, shapes, crs="EPSG:32628", **fields):
    geopandas.GeoDataFrame(fields, geometry=shapes, crs=crs).to_file(path, driver="GPKG")
    return path


@given(masks(classes=2), st.sampled_from([".gpkg", ".geojson", ".fgb", ".parquet"]), st.sampled_from([4, 8]))
@settings(max_examples=25)
def test_there_and_back(tmp_path_factory, labels, suffix, connectivity):
    """A mask traced with pixel outlines and drawn again is the mask, nodata included."""
    folder = tmp_path_factory.mktemp("back")
    mask = _mask(folder / "mask.tif", labels)
    options = VectorizeOptions(vectors=PLAIN if connectivity == 4 else EIGHT)
    vectorize(mask, [folder / f"p{suffix}"], options)
    done = rasterize(folder / f"p{suffix}", mask, folder / "again.tif")

    assert labels.tolist() == _pixels(folder / "again.tif").tolist()
    words = "the field class holds the classes; --field takes another"
    if not np.isin(labels, (1, 2)).any():
        words = "holds no features"
    assert done.warnings == (f"p{suffix}: {words}",)


def test_values_of_other_tools_come_back(tmp_path):
    """A mask of 3 and 7 without a class list keeps its values."""
    labels = blobs(300, 9)
    labels[:150] *= 7
    labels[150:] *= 3
    mask = _raster(tmp_path / "mask.tif", labels)
    vectorize(mask, [tmp_path / "p.gpkg"], VectorizeOptions(vectors=PLAIN))
    rasterize(tmp_path / "p.gpkg", mask, tmp_path / "again.tif")

    assert labels.tolist() == _pixels(tmp_path / "again.tif").tolist()


@pytest.mark.parametrize("all_touched", [False, True])
def test_strips_and_crs_do_not_show(tmp_path, monkeypatch, all_touched):
    """What comes out is what rasterio draws on the whole grid, also from degrees and strip by strip."""
    monkeypatch.setattr("geoseg.pipeline.rasterize.STRIP_PIXELS", 10_000)
    rng = np.random.default_rng(3)
    shapes = [shapely.Point(*rng.uniform(5, 195, 2)).buffer(rng.uniform(2, 30), 3) for _ in range(40)]
    shapes = shapely.transform(np.array(shapes), lambda xy: xy * [1, -1] + [5e5, 4e6])
    names = np.where(np.arange(40) % 3, "roof", "pool")
    like = _raster(tmp_path / "like.tif", np.ones((400, 400), np.uint8), blockysize=16)
    _polygons(tmp_path / "p.gpkg", shapes, kind=names)
    frame = geopandas.read_file(tmp_path / "p.gpkg").to_crs(4326)
    frame.to_file(tmp_path / "degrees.gpkg", driver="GPKG")
    ids = np.where(names == "pool", 1, 2)
    drawn = {"transform": PLACE, "all_touched": all_touched, "dtype": "uint8"}
    expected = burn(zip(shapes, ids.tolist(), strict=True), (400, 400), **drawn)
    options = RasterizeOptions("kind", all_touched)
    for name in ("p", "degrees"):
        rasterize(tmp_path / f"{name}.gpkg", like, tmp_path / f"{name}.tif", options)

    assert expected.tolist() == _pixels(tmp_path / "p.tif").tolist()
    assert (expected != _pixels(tmp_path / "degrees.tif")).mean() < 1e-4


def test_numbers_are_values(tmp_path):
    """A field of whole numbers holds the values of the mask."""
    like = _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    boxes = [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6), shapely.box(5e5 + 5, 4e6 - 10, 5e5 + 10, 4e6)]
    _polygons(tmp_path / "p.gpkg", boxes, code=[5, 2])
    rasterize(tmp_path / "p.gpkg", like, tmp_path / "m.tif", RasterizeOptions("code"))

    pixels = _pixels(tmp_path / "m.tif")
    assert (5, 2, 0) == (pixels[0, 0], pixels[19, 19], pixels[19, 0])


@pytest.mark.parametrize("flags", [[True, False, True], [False, False, True]])
def test_false_is_not_drawn(tmp_path, flags):
    """Of a field that is true or false the polygons that are true are drawn, and it is said."""
    like = _raster(tmp_path / "like.tif", np.zeros((4, 12), np.uint8))
    boxes = [shapely.box(5e5 + 2 * i, 4e6 - 1, 5e5 + 2 * i + 1, 4e6) for i in range(3)]
    _polygons(tmp_path / "p.gpkg", boxes, is_roof=flags)
    done = rasterize(tmp_path / "p.gpkg", like, tmp_path / "mask.tif", RasterizeOptions(field="is_roof"))
    expected = np.zeros((4, 12), np.uint8)
    for i in np.flatnonzero(flags):
        expected[:2, 4 * i : 4 * i + 2] = 1
    assert expected.tolist() == _pixels(tmp_path / "mask.tif").tolist()
    counted = f"{sum(flags)} of 3 polygons"
    note = f"is_roof is true or false: true is class is_roof ({counted}), the others are not drawn"
    assert done.warnings == (f"p.gpkg: {note}",)


def test_nothing_is_left_out_silently(tmp_path):
    """Points beside a polygon are counted; a file of them alone is refused."""
    like = _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    tree, house = shapely.Point(5e5 + 1, 4e6 - 1), shapely.box(5e5 + 5, 4e6 - 10, 5e5 + 10, 4e6 - 5)
    _polygons(tmp_path / "p.gpkg", [tree, house])
    done = rasterize(tmp_path / "p.gpkg", like, tmp_path / "m.tif")

    assert done.warnings == ("p.gpkg: 1 polygon is read; left out: 1 point",)
    assert int(_pixels(tmp_path / "m.tif").sum()) == 100
    _polygons(tmp_path / "trees.gpkg", [tree], kind=["tree"])
    with pytest.raises(VectorError, match="holds no polygons: 1 point"):
        rasterize(tmp_path / "trees.gpkg", like, tmp_path / "n.tif")
    assert not (tmp_path / "n.tif").exists()


def _elsewhere(tmp_path):
    return _polygons(tmp_path / "p.gpkg", [shapely.box(0, 0, 9, 9)])


def _unknown_class(tmp_path):
    _mask(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    return _polygons(tmp_path / "p.gpkg", [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)], **{"class": ["road"]})


def _no_crs(tmp_path):
    return _polygons(tmp_path / "p.gpkg", [shapely.box(0, 0, 9, 9)], crs=None)


def _half_named(tmp_path):
    boxes = [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)] * 2
    return _polygons(tmp_path / "p.gpkg", boxes, **{"class": ["road", None]})


def _fractions(tmp_path):
    boxes = [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)]
    return _polygons(tmp_path / "p.gpkg", boxes, **{"class": [1.5]})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (_elsewhere, "lies on"),
        (_unknown_class, "'road'"),
        (_no_crs, "CRS"),
        (_half_named, "feature 2"),
        (_fractions, "no class"),
    ],
)
def test_what_cannot_be_drawn(tmp_path, make, words):
    """One clear error, and no file."""
    _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    vectors = make(tmp_path)
    with pytest.raises(VectorError, match=words):
        rasterize(vectors, tmp_path / "like.tif", tmp_path / "m.tif")
    assert not (tmp_path / "m.tif").exists()


def test_a_field_that_is_not_there(tmp_path):
    """The remedy lists those that are."""
    like = _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    vectors = _polygons(tmp_path / "p.gpkg", [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)], kind=["roof"])
    with pytest.raises(OptionError, match="kind"):
        rasterize(vectors, like, tmp_path / "m.tif", RasterizeOptions("type"))


def test_an_existing_mask_is_kept(tmp_path):
    """Unless --overwrite says otherwise."""
    like = _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    vectors = _polygons(tmp_path / "p.gpkg", [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)])
    rasterize(vectors, like, tmp_path / "m.tif")
    with pytest.raises(OutputError):
        rasterize(vectors, like, tmp_path / "m.tif")
    rasterize(vectors, like, tmp_path / "m.tif", RasterizeOptions(overwrite=True))


@pytest.mark.parametrize("name", ["m.png", "m.jpg", "mask"])
def test_a_mask_has_the_name_of_a_tiff(tmp_path, name):
    """Its bytes are those of one, and a viewer goes by the name."""
    with pytest.raises(OptionError, match=r"is to be a GeoTIFF .*m.*\.tif"):
        rasterize(tmp_path / "a.gpkg", tmp_path / "like.tif", tmp_path / name)
    with pytest.raises(OptionError, match=r"is to be a GeoTIFF .*m.*\.tif"):
        mosaic_tiles(tmp_path, tmp_path / name)


def test_what_is_read_is_not_replaced(tmp_path):
    """Not even with --overwrite, which means results."""
    like = _raster(tmp_path / "like.tif", np.ones((20, 20), np.uint8))
    vectors = _polygons(tmp_path / "p.gpkg", [shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6)])
    before = like.read_bytes()
    with pytest.raises(OutputError, match="read by the same command"):
        rasterize(vectors, like, tmp_path / "." / "like.tif", RasterizeOptions(overwrite=True))
    assert like.read_bytes() == before


@pytest.mark.parametrize("names", [["background", "roof"], ["background", "background"]])
def test_polygons_of_the_background_are_0(tmp_path, names):
    """As ``--background`` writes them; drawn later, they lie on top."""
    raster = _raster(tmp_path / "r.tif", np.zeros((10, 10), np.uint8))
    upper = shapely.box(5e5, 4e6 - 2.5, 5e5 + 5, 4e6)
    lower = shapely.box(5e5, 4e6 - 5, 5e5 + 5, 4e6 - 2.5)
    polygons = _polygons(tmp_path / "p.gpkg", [upper, lower], **{"class": names})
    rasterize(polygons, raster, tmp_path / "m.tif")

    assert [0, int(names[1] == "roof")] == [_pixels(tmp_path / "m.tif")[row, 3] for row in (1, 8)]


def test_classes_that_make_no_list_are_told_in_their_own_words(tmp_path):
    """More than a mask can hold: it is the field of the polygons that says so."""
    raster = _raster(tmp_path / "r.tif", np.zeros((10, 10), np.uint8))
    shapes = [shapely.box(5e5, 4e6 - 2.5, 5e5 + 5, 4e6)] * 300
    polygons = _polygons(tmp_path / "p.gpkg", shapes, kind=[f"k{i}" for i in range(300)])
    with pytest.raises(OptionError, match="--field"):
        rasterize(polygons, raster, tmp_path / "m.tif", RasterizeOptions("kind"))
