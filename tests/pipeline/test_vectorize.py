"""Masks and scores of any tool to polygons."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.transform import Affine

from geoseg.core import VectorOptions
from geoseg.errors import OptionError, OutputError, SceneError
from geoseg.pipeline.vectorize import VectorizeListener, VectorizeOptions, vectorize
from geoseg.raster.labelling import ValueOptions
from geoseg.raster.value_mapping import RUN_TAG
from tests.vector.files import PLAIN, read
from tests.vector.tracing import blobs, trace


def _raster(path, pixels, crs="EPSG:32628", **profile):
    pixels = np.atleast_3d(pixels.T).T if pixels.ndim == 2 else pixels
    bands, height, width = pixels.shape
    profile = {"driver": "GTiff", "count": bands, "dtype": pixels.dtype, "crs": crs, **profile}
    with rasterio.open(
        path, "w", height=height, width=width, transform=Affine(0.5, 0, 5e5, 0, -0.5, 4e6), **profile
    ) as out:
        out.write(pixels)
    return path


def _run(raster, target, vectors=PLAIN, **values):
    told = []
    options = VectorizeOptions(ValueOptions(**values), vectors)
    (output, *_) = vectorize(raster, [target], options, VectorizeListener(told.append))
    return read(target), output.summary, told


def test_a_mask_of_0_and_255(tmp_path):
    """255 is a class where the file does not declare it to be no data."""
    mask = blobs(300, 12) * np.uint8(255)
    frame, summary, told = _run(_raster(tmp_path / "m.tif", mask), tmp_path / "m.gpkg")

    assert len(trace(np.minimum(mask, 1))) == len(frame) == summary["class 255"]
    assert any("255 = class 255" in line for line in told)
    assert frame["confidence"].isna().all()
    assert frame["bundle"].isna().all()


def test_declared_nodata_is_no_class(tmp_path):
    """Refused where it is the only value: what was meant can be named."""
    mask = blobs(300, 12)
    raster = _raster(tmp_path / "m.tif", mask, nodata=1)
    with pytest.raises(SceneError, match="declared as no data"):
        _run(raster, tmp_path / "a.gpkg")
    named, *_ = _run(raster, tmp_path / "b.gpkg", values=((1, "building"),))

    assert len(trace(mask)) == len(named)
    assert {"yes"} == set(named["building"])


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32"])
def test_several_values(tmp_path, dtype):
    """Of any integer type; each a class, or only those that were named."""
    mask = blobs(300, 12).astype(dtype)
    mask[mask > 0] = 7
    mask[:40, :40] = 120
    raster = _raster(tmp_path / "m.tif", mask)
    frame, *_ = _run(raster, tmp_path / "a.gpkg")
    named, *_ = _run(raster, tmp_path / "b.gpkg", values=((120, "field"),))

    assert {"class 7", "class 120"} == set(frame["class"])
    assert {"field"} == set(named["class"])


@pytest.mark.parametrize("value", [255, -1])
def test_values_that_nobody_named_may_be_buildings(tmp_path, value):
    """Whatever the number, -1 as well: other tools' masks come as they are."""
    mask = blobs(300, 12).astype(np.int16)
    mask[mask > 0] = value
    raster = _raster(tmp_path / "m.tif", mask)
    frame, *_ = _run(raster, tmp_path / "a.gpkg", replace(PLAIN, regularize=True))

    assert {f"class {value}"} == set(frame["class"])
    assert frame["regularized"].any()


def test_scores_are_cut(tmp_path):
    """Floats and bytes; confidence is the mean of the scores."""
    mask = blobs(300, 12)
    scores = np.where(mask > 0, 0.75, 0.25).astype(np.float32)
    scores[0, 0] = np.nan
    frame, *_ = _run(_raster(tmp_path / "f.tif", scores), tmp_path / "f.gpkg", threshold=0.5)
    raster = _raster(tmp_path / "b.tif", np.where(mask > 0, 204, 51).astype(np.uint8))
    grey, *_ = _run(raster, tmp_path / "b.gpkg", threshold=128)

    assert len(trace(mask)) == len(frame) == len(grey)
    assert [0.752] == frame["confidence"].unique().tolist()
    assert [0.8] == grey["confidence"].unique().tolist()


def test_floats_are_no_classes(tmp_path):
    """One line that names the way out."""
    raster = _raster(tmp_path / "f.tif", np.zeros((20, 20), np.float32))
    with pytest.raises(SceneError, match="--threshold"):
        _run(raster, tmp_path / "f.gpkg")

    assert not (tmp_path / "f.gpkg").exists()


def test_a_photograph_is_no_mask(tmp_path):
    """More values than a mask can have."""
    noise = np.random.default_rng(0).integers(0, 256, (200, 200), dtype=np.uint8)
    with pytest.raises(SceneError, match="no mask"):
        _run(_raster(tmp_path / "f.tif", noise), tmp_path / "f.gpkg")


def test_without_a_crs(tmp_path):
    """Works, in pixels, and says so."""
    frame, _, told = _run(_raster(tmp_path / "m.tif", blobs(200, 4), crs=None), tmp_path / "m.gpkg")

    assert "area_px" in frame
    assert any("no CRS" in line for line in told)


def test_wrong_options(tmp_path):
    """One clear line each; what is there stays."""
    raster = _raster(tmp_path / "m.tif", blobs(100, 1))
    for wrong in ({"band": 2}, {"values": ((300, "a"),)}, {"values": ((1, "a"), (2, "a"))}):
        with pytest.raises(OptionError):
            _run(raster, tmp_path / "m.gpkg", **wrong)
    (tmp_path / "m.gpkg").write_text("mine")
    with pytest.raises(OutputError, match="exists"):
        _run(raster, tmp_path / "m.gpkg")

    assert "mine" == (tmp_path / "m.gpkg").read_text()


def test_many_strips_are_one_scene(tmp_path, monkeypatch):
    """The same polygons, however many rows are read at once."""
    raster = _raster(tmp_path / "m.tif", blobs(600, 40), tiled=True, blockxsize=128, blockysize=128)
    options = VectorOptions()
    whole, *_ = _run(raster, tmp_path / "a.geojson", options)
    monkeypatch.setattr("geoseg.raster.label_values.STRIP_PIXELS", 1)
    _run(raster, tmp_path / "b.geojson", options)

    assert len(whole) > 0
    assert (tmp_path / "a.geojson").read_bytes() == (tmp_path / "b.geojson").read_bytes()


def test_torch_is_not_loaded():
    """Tracing needs no network."""
    code = "import sys, geoseg.pipeline.vectorize; sys.exit('torch' in sys.modules)"

    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def _two_roofs():
    """Scores of two houses wall to wall, with a dip between them."""
    scores = np.zeros((60, 90), np.uint8)
    scores[15:45, 15:75] = 240
    scores[15:45, 44:46] = 140
    return scores


def test_touching_objects_by_their_scores(tmp_path):
    """On demand, also where no model told rims; without being asked, what touches is one."""
    raster = _raster(tmp_path / "scores.tif", _two_roofs())
    apart = VectorOptions(simplify_m=0, regularize=False, split_touching=True)
    two, _, _ = _run(raster, tmp_path / "two.gpkg", apart, threshold=128)
    one, _, _ = _run(raster, tmp_path / "one.gpkg", threshold=128)

    assert [900 * 0.25] * 2 == two["area_m2"].round(0).tolist()
    assert 1 == len(one)


def test_a_mask_does_not_tell_where_objects_touch(tmp_path):
    """Asked to cut them apart nevertheless, it says so."""
    raster = _raster(tmp_path / "mask.tif", (_two_roofs() > 128).astype(np.uint8))
    with pytest.raises(OptionError, match="--split-touching"):
        _run(raster, tmp_path / "two.gpkg", VectorOptions(split_touching=True))
    assert not (tmp_path / "two.gpkg").exists()


LOCAL = 'LOCAL_CS["Local Coordinates (m)",UNIT["metre",1],AXIS["X",EAST],AXIS["Y",NORTH]]'
"""What drone software writes."""


def test_a_local_crs(tmp_path):
    """It has no place on Earth: outlines come without sizes, and none of them in degrees."""
    raster = _raster(tmp_path / "m.tif", blobs(200, 5), crs=LOCAL)
    with pytest.raises(OptionError, match=r"without a place on Earth, and GeoJSON is in degrees .*m\.gpkg"):
        vectorize(raster, [tmp_path / "m.geojson"], VectorizeOptions())
    vectorize(raster, [tmp_path / "m.gpkg"], VectorizeOptions())
    frame = read(tmp_path / "m.gpkg")

    assert len(frame)
    assert frame["area_m2"].isna().all()
    assert shapely.is_valid(frame.geometry.to_numpy()).all()
    assert not (tmp_path / "m.geojson").exists()


def test_odd_values_for_our_own_probabilities(tmp_path):
    """A band is not chosen, and a threshold is a probability."""
    scores = np.zeros((1, 20, 20), np.uint8)
    raster = _raster(tmp_path / "p.tif", scores, nodata=255)
    with rasterio.open(raster, "r+") as file:
        file.update_tags(**{RUN_TAG: "x"})
    for values, words in (
        ({"band": 2}, "--band"),
        ({"threshold": 128.0}, "--threshold 128"),
        ({"threshold": 0.0}, "--threshold 0"),
        ({"threshold": float("nan")}, "--threshold nan"),
    ):
        with pytest.raises(OptionError, match=words):
            _run(raster, tmp_path / "p.gpkg", **values)
    foreign = _raster(tmp_path / "f.tif", scores)
    with pytest.raises(OptionError, match="--threshold inf"):
        _run(foreign, tmp_path / "f.gpkg", threshold=float("inf"))
