"""``geoseg.predict``, ``polygonize`` and ``rasterize``: arrays in, arrays and data frames out."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import shapely
from rasterio.features import shapes as rasterio_shapes
from rasterio.transform import Affine

import geoseg
from tests.scenes import HALF_METRE, write_scene
from tests.support import make_test_bundle

CRS = "EPSG:32628"
EXACT: dict[str, Any] = {"simplify_m": 0, "regularize": False}


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene and, beside it, a bundle."""
    folder = tmp_path_factory.mktemp("arrays")
    make_test_bundle(folder / "bundle")
    return write_scene(folder / "town.tif", (150, 200))


def blocks(seed: int = 0) -> np.ndarray[Any, Any]:
    """A mask (60, 80) of rectangles of the classes 1 and 2."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((60, 80), np.uint8)
    for label in (1, 2) * 5:
        row, col, height, width = rng.integers((0, 0, 3, 3), (50, 70, 15, 15))
        mask[row : row + height, col : col + width] = label
    return mask


@pytest.mark.parametrize("probabilities", [False, True])
def test_predict_is_what_infer_gives(scene: Path, tmp_path: Path, probabilities: bool) -> None:
    """An array, and the file that holds it: the same classes and probabilities, pixel by pixel."""
    model = scene.parent / "bundle"
    with rasterio.open(scene) as file:
        pixels, transform, crs = file.read(), file.transform, file.crs
    done = geoseg.segment(
        scene, model, tmp_path, probabilities=probabilities, format="none", threshold=0.45, device="cpu"
    )

    options = {"threshold": 0.45, "probabilities": probabilities, "device": "cpu", "nodata": 0}
    found = geoseg.predict(pixels, transform, crs, model, **options)

    with rasterio.open(done.probabilities if probabilities else done.mask) as file:
        expected = file.read()
    if probabilities:
        assert np.array_equal(np.isnan(found), expected == 255)
        assert np.array_equal(np.where(np.isnan(found), 255, np.round(found * 250)), expected)
        assert (found.dtype, found.shape) == (np.float32, expected.shape)
    else:
        assert np.array_equal(found, expected[0])
        assert {0, 1, 255} == set(np.unique(found).tolist())


class LabelledArray:
    """What ``predict`` uses of an ``xarray.DataArray``."""

    def __init__(self, data: Any, dims: tuple[str, ...], coords: dict[str, Any]) -> None:
        self.data, self.dims, self.coords = data, dims, coords
        self.ndim = data.ndim

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.asarray(self.data, dtype)

    def isel(self, chosen: dict[str, int], drop: bool) -> LabelledArray:
        """Leave out a dimension."""
        (name,) = chosen
        rest = {key: value for key, value in self.coords.items() if key != name}
        return LabelledArray(self.data[chosen[name]], tuple(d for d in self.dims if d != name), rest)

    def copy(self, data: Any) -> LabelledArray:
        """Put other values in the places."""
        return LabelledArray(data, self.dims, self.coords)


def test_predict_keeps_coordinates(scene: Path) -> None:
    """Of an array with coordinates the result has those of its rows and columns."""
    pixels = np.arange(3 * 64 * 64, dtype=np.uint8).reshape(3, 64, 64)
    coords = {"band": [1, 2, 3], "y": np.arange(64.0), "x": np.arange(64.0)}
    place = HALF_METRE, CRS, scene.parent / "bundle"

    found = geoseg.predict(LabelledArray(pixels, ("band", "y", "x"), coords), *place)

    assert (found.dims, sorted(found.coords)) == (("y", "x"), ["x", "y"])
    assert np.array_equal(found.data, geoseg.predict(pixels, *place))


def test_predict_takes_xarray(scene: Path) -> None:
    """The same with xarray's own type."""
    xarray = pytest.importorskip("xarray")
    pixels = np.arange(3 * 64 * 64, dtype=np.uint8).reshape(3, 64, 64)
    array = xarray.DataArray(pixels, dims=("band", "y", "x"), coords={"y": np.arange(64.0)})
    place = HALF_METRE, CRS, scene.parent / "bundle"

    found = geoseg.predict(array, *place)
    scores = geoseg.predict(array, *place, probabilities=True)

    assert isinstance(found, xarray.DataArray)
    assert (found.dims, scores.dims) == (("y", "x"), ("class", "y", "x"))
    assert np.array_equal(found, geoseg.predict(pixels, *place))


def test_arrays_of_another_shape_are_refused(scene: Path) -> None:
    """Bands last, as pictures often have them, are named."""
    with pytest.raises(geoseg.GeosegError, match="bands last"):
        geoseg.predict(np.zeros((64, 64, 3), np.uint8), HALF_METRE, CRS, scene.parent / "bundle")


@pytest.mark.parametrize("transform", [HALF_METRE, Affine(0.4, 0.1, 5e5, 0.1, -0.4, 3e6)])
def test_polygons_are_those_of_rasterio(transform: Affine) -> None:
    """Pixel outlines: for each class the same union, hence the same area, and the same number of polygons."""
    mask = blocks()
    found = geoseg.polygonize(mask, transform, CRS, value={1: "roof", 2: "road"}, **EXACT)

    expected = [
        (shapely.geometry.shape(s), int(v)) for s, v in rasterio_shapes(mask, mask > 0, transform=transform)
    ]
    for value, name in ((1, "roof"), (2, "road")):
        mine = found[found["class"] == name]
        theirs = [shape for shape, label in expected if label == value]
        assert len(mine) == len(theirs)
        assert mine.union_all().symmetric_difference(shapely.union_all(theirs)).area < 1e-6
    assert found.crs == CRS
    assert found.attrs["notes"] == ["values as named: 1 = roof, 2 = road"]


def test_booleans_and_probabilities_give_the_same_polygons() -> None:
    """Of one class: a mask, the same as booleans, and probabilities above a threshold, or of two."""
    mask = blocks() == 1
    likely = np.where(mask, 0.7, 0.3).astype(np.float32)
    arrays: list[tuple[Any, dict[str, Any]]] = [
        (mask.astype(np.uint8), {}),
        (mask, {}),
        (likely, {}),
        (likely, {"threshold": 0.6}),
        (np.stack([1 - likely, likely]), {}),
    ]

    found = [geoseg.polygonize(array, HALF_METRE, CRS, **options, **EXACT) for array, options in arrays]

    assert [len(found[0])] * 5 == [len(frame) for frame in found]
    for frame in found:
        assert frame.union_all().equals(found[0].union_all())


def test_no_data_is_no_class() -> None:
    """NaN of probabilities, and the declared value of a mask."""
    likely = np.full((40, 40), 0.9)
    likely[:, 20:] = np.nan
    mask = np.where(np.isnan(likely), 9, 1).astype(np.uint8)

    for frame in (
        geoseg.polygonize(likely, HALF_METRE, CRS, **EXACT),
        geoseg.polygonize(mask, HALF_METRE, CRS, nodata=9, **EXACT),
    ):
        assert [pytest.approx(40 * 20 * 0.16)] == frame.area.tolist()


def test_object_numbers_become_one_row_each() -> None:
    """With ``instances=True`` the column ``id`` holds them."""
    numbers = np.zeros((40, 40), np.uint32)
    numbers[5:15, 5:15], numbers[20:30, 5:25] = 70_001, 8

    found = geoseg.polygonize(numbers, HALF_METRE, CRS, instances=True)

    assert {8: 200 * 0.16, 70_001: 100 * 0.16} == pytest.approx(
        dict(zip(found["id"], found.area, strict=True))
    )


def test_rasterize_undoes_polygonize() -> None:
    """Pixel outlines drawn again are the mask; so they are from another CRS."""
    mask = blocks()
    frame = geoseg.polygonize(mask, HALF_METRE, CRS, value={1: "a", 2: "b"}, **EXACT)

    here = geoseg.rasterize(frame, mask.shape, HALF_METRE)
    there = geoseg.rasterize(frame.to_crs(4326), mask.shape, HALF_METRE, CRS)

    assert np.array_equal(here, mask)
    assert np.count_nonzero(there != mask) <= 0.01 * mask.size


def test_rasterize_numbers_objects() -> None:
    """By their column ``id``, as uint32."""
    mask = blocks()
    frame = geoseg.polygonize(mask, HALF_METRE, CRS, **EXACT)
    found = geoseg.rasterize(frame, mask.shape, HALF_METRE, instances=True)

    assert found.dtype == np.uint32
    assert set(frame["id"]) | {0} == set(np.unique(found).tolist())


@pytest.mark.parametrize("name", ["segment", "predict", "polygonize", "rasterize", "evaluate", "train"])
def test_unknown_options_are_named(name: str) -> None:
    """With the closest one that there is, before anything is read."""
    close = {"rasterize": "all_touched", "evaluate": "threshold", "train": "epochs"}.get(name, "threshold")
    with pytest.raises(TypeError, match=f"{name}.. has no option '{close[:-1]}'; did you mean '{close}'"):
        getattr(geoseg, name)(*"abc"[: 2 if name == "train" else 3], **{close[:-1]: 1})


def test_unknown_crs_and_transforms_are_refused() -> None:
    """In one line that says what to use."""
    with pytest.raises(geoseg.GeosegError, match="EPSG"):
        geoseg.polygonize(blocks(), HALF_METRE, "EPSG:1")
    with pytest.raises(geoseg.GeosegError, match=r"rasterio\.Affine"):
        geoseg.polygonize(blocks(), (1, 2), CRS)


def test_frames_pickle() -> None:
    """They can be handed to a worker."""
    frame = geoseg.polygonize(blocks(), HALF_METRE, CRS)

    assert pickle.loads(pickle.dumps(frame)).equals(frame)
