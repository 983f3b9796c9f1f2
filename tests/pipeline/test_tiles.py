"""Scenes to patches and back: nothing lost, nothing moved, blended as the engine blends."""

import itertools
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.enums import ColorInterp
from rasterio.transform import Affine
from rio_cogeo import cog_validate

from geoseg.core import ClassList, LabelClass, PatchGrid, Window
from geoseg.errors import InputError, OptionError, OutputError
from geoseg.pipeline.tiles import MosaicOptions, TileOptions, count_tiles, mosaic_tiles, tile_scene
from geoseg.raster.mask import CLASSES_TAG, classes_of
from geoseg.raster.patchset import count_holes

NORTH_UP = Affine(0.5, 0.0, 300000.25, 0.0, -0.5, 1600000.125)
ROTATED = Affine(0.4, 0.3, 300000.25, 0.3, -0.4, 1600000.125)
SOUTH_UP = Affine(0.1, 0.0, 1.0 / 3.0, 0.0, 0.1, 2.0 / 3.0)


def write_scene(path: Path, pixels: Any, **options: Any) -> Path:
    """A scene of these pixels; (bands, height, width)."""
    options = {"crs": "EPSG:32628", "transform": NORTH_UP} | options
    valid, colours = options.pop("valid", None), options.pop("colours", None)
    profile = {"count": len(pixels), "height": pixels.shape[1], "width": pixels.shape[2]}
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "w", driver="GTiff", dtype=pixels.dtype, **profile, **options) as dataset,
    ):
        if colours:
            dataset.write_colormap(1, colours)
        dataset.write(pixels)
        if valid is not None:
            dataset.write_mask(valid)
    return path


def noise(dtype: str, shape: tuple[int, ...], seed: int = 0) -> Any:
    """Random values of any type."""
    random = np.random.default_rng(seed)
    if np.dtype(dtype).kind == "f":
        return random.normal(size=shape).astype(dtype)
    return random.integers(0, 200, shape).astype(dtype)


def tifs(folder: Path) -> list[Path]:
    """All GeoTIFFs below a folder."""
    return sorted(folder.rglob("*.tif"))


sizes = st.integers(1, 60)
sides = st.integers(9, 70)


@settings(max_examples=25, deadline=None)
@given(
    st.tuples(sizes, sizes),
    st.tuples(sides, sides),
    st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
    st.tuples(
        st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"]),
        st.integers(1, 4),
    ),
    st.sampled_from([NORTH_UP, ROTATED, SOUTH_UP]),
    st.integers(0, 2**32),
)
def test_a_scene_comes_back_bit_for_bit(
    size: tuple[int, int],
    patch: tuple[int, int],
    shares: tuple[float, float],
    kind: tuple[str, int],
    transform: Affine,
    seed: int,
) -> None:
    """Any size, patch, overlap, type and transform; and the grid to the last digit."""
    overlap = (int(patch[0] * shares[0]), int(patch[1] * shares[1]))
    pixels = noise(kind[0], (kind[1], *size), seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = write_scene(folder / "s.tif", pixels, transform=transform)
        done: list[int] = []
        result = tile_scene(scene, folder / "t", TileOptions(patch, overlap), done.append)
        assert (result.patches, sum(done)) == (len(tifs(folder / "t")), result.patches)
        assert result.patches == count_tiles(scene, TileOptions(patch, overlap))
        back = mosaic_tiles(folder / "t", folder / "m.tif")
        with rasterio.open(folder / "m.tif") as mosaic, rasterio.open(scene) as original:
            assert mosaic.read().tobytes() == original.read().tobytes()
            assert (mosaic.transform, mosaic.crs) == (original.transform, original.crs)
        assert (back.warnings, back.patches) == ((), result.patches)


@settings(max_examples=20, deadline=None)
@given(st.tuples(sizes, sizes), st.tuples(sides, sides), st.sampled_from([0, 1, 3]))
def test_patches_cover_every_pixel_and_lie_where_they_should(
    size: tuple[int, int], patch: tuple[int, int], divisor: int
) -> None:
    """Each patch has its full size (or the scene's), its own transform, and the pixels of that place."""
    digits = len(str(max(size)))
    overlap = (patch[0] // divisor // 2, patch[1] // divisor // 2) if divisor else (0, 0)
    pixels = noise("uint16", (1, *size))
    covered = np.zeros(size, int)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = write_scene(folder / "s.tif", pixels, transform=ROTATED)
        tile_scene(scene, folder / "t", TileOptions(patch, overlap))
        for path in tifs(folder / "t"):
            with rasterio.open(path) as dataset:
                col, row = (round(v) for v in ~ROTATED @ (dataset.transform.c, dataset.transform.f))
                window = Window(row, col, dataset.height, dataset.width)
                assert window.size == (min(patch[0], size[0]), min(patch[1], size[1]))
                assert dataset.transform.almost_equals(ROTATED @ Affine.translation(col, row), 1e-6)
                np.testing.assert_array_equal(dataset.read(), pixels[:, *window.slices])
                assert path.stem.endswith(f"_r{row:0{digits}}_c{col:0{digits}}")
            covered[window.slices] += 1
    assert covered.min() > 0


@pytest.mark.parametrize("kind", ["nodata", "nan", "mask", "alpha", "palette", "scaled"])
def test_what_a_scene_says_about_its_pixels_is_kept(tmp_path: Path, kind: str) -> None:
    """Nodata values, NaN, masks, alpha bands, colour tables, scales, names: in patches and in the mosaic."""
    random = np.random.default_rng(1)
    valid = random.random((70, 50)) < 0.6
    pixels = noise("float32" if kind == "nan" else "uint8", (4 if kind == "alpha" else 1, 70, 50))
    options: dict[str, Any] = {}
    if kind == "nodata":
        options["nodata"] = 0
        pixels[0] = np.maximum(pixels[0], 1) * valid
    elif kind == "nan":
        options["nodata"] = float("nan")
        pixels[0][~valid] = np.nan
    elif kind == "mask":
        options["valid"] = valid
    elif kind == "alpha":
        pixels[3] = valid * 255
        options |= {"photometric": "rgb", "alpha": "yes"}
    elif kind == "palette":
        options["colours"] = {i: (i, 255 - i, 7, 255) for i in range(256)}
    scene = write_scene(tmp_path / "s.tif", pixels, **options)
    if kind == "scaled":
        with rasterio.open(scene, "r+") as dataset:
            dataset.scales, dataset.offsets = (0.25,), (3.0,)
            dataset.set_band_description(1, "nir")
    tile_scene(scene, tmp_path / "t", TileOptions((32, 32), (8, 8)))
    mosaic_tiles(tmp_path / "t", tmp_path / "m.tif")
    for path in (tmp_path / "m.tif", *tifs(tmp_path / "t")):
        with rasterio.open(path) as copy, rasterio.open(scene) as dataset:
            col, row = (round(v) for v in ~NORTH_UP @ (copy.transform.c, copy.transform.f))
            area = ((row, row + copy.height), (col, col + copy.width))
            assert copy.read().tobytes() == dataset.read(window=area).tobytes()
            np.testing.assert_array_equal(copy.dataset_mask(), dataset.dataset_mask(window=area))
            assert str(copy.nodata) == str(dataset.nodata)
            assert (copy.scales, copy.offsets) == (dataset.scales, dataset.offsets)
            assert copy.descriptions == dataset.descriptions
            if kind == "palette":
                assert copy.colormap(1) == dataset.colormap(1)
            if kind in ("palette", "alpha"):
                assert copy.colorinterp == dataset.colorinterp
    assert cog_validate(str(tmp_path / "m.tif"))[0]


def test_a_plain_picture_is_cut_and_put_together(tmp_path: Path) -> None:
    """Without a georeference, patches keep their place in pixels."""
    pixels = noise("uint8", (3, 40, 50))
    with rasterio.open(
        tmp_path / "p.png", "w", driver="PNG", dtype="uint8", count=3, height=40, width=50
    ) as dataset:
        dataset.write(pixels)
    tile_scene(tmp_path / "p.png", tmp_path / "t", TileOptions((16, 16), (4, 4)))
    mosaic_tiles(tmp_path / "t", tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(), pixels)
        assert (mosaic.crs, mosaic.transform) == (None, Affine.identity())


def test_patches_that_lost_their_place_are_placed_by_name(tmp_path: Path) -> None:
    """A network that writes PNG keeps the names; others are refused."""
    pixels = noise("uint8", (1, 40, 50))
    tile_scene(write_scene(tmp_path / "s.tif", pixels), tmp_path / "t", TileOptions((16, 16)))
    (tmp_path / "png").mkdir()
    for path in tifs(tmp_path / "t"):
        with (
            rasterio.open(path) as patch,
            rasterio.open(
                tmp_path / "png" / f"{path.stem}.png",
                "w",
                driver="PNG",
                dtype="uint8",
                count=1,
                height=patch.height,
                width=patch.width,
            ) as png,
        ):
            png.write(patch.read())
    mosaic_tiles(tmp_path / "png", tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(), pixels)
    next((tmp_path / "png").glob("*.png")).rename(tmp_path / "png" / "first.png")
    with pytest.raises(InputError, match="has no georeference"):
        mosaic_tiles(tmp_path / "png", tmp_path / "n.tif")


def test_the_index_holds_a_footprint_per_patch(tmp_path: Path) -> None:
    """In the scene's CRS, with window and share of valid pixels."""
    pixels = noise("uint8", (1, 40, 50)) + 1
    pixels[:, :, :16] = 0
    scene = write_scene(tmp_path / "s.tif", pixels, nodata=0)
    result = tile_scene(scene, tmp_path / "t", TileOptions((16, 16)))
    frame = pyogrio.read_dataframe(result.index)
    assert (len(frame), frame.crs.to_epsg()) == (result.patches, 32628)
    assert frame.union_all().area == pytest.approx(40 * 50 * 0.25)
    for record in frame.itertuples():
        with rasterio.open(tmp_path / "t" / record.patch) as patch:
            assert record.geometry.bounds == pytest.approx(tuple(patch.bounds))
            assert record.valid == pytest.approx((patch.dataset_mask() > 0).mean(), abs=1e-4)
            assert (patch.height, patch.width) == (record.height, record.width)


@pytest.mark.parametrize(("how", "expected"), [("max", [0, 2, 2, 2]), ("majority", [0, 1, 2, 0])])
def test_patches_are_sorted_by_their_labels(tmp_path: Path, how: str, expected: list[int]) -> None:
    """Into a folder per class, images and masks alike; what is nodata does not count."""
    labels = np.zeros((1, 8, 32), np.uint8)
    labels[0, :, 8:16], labels[0, 0, 8] = 1, 2
    labels[0, :, 16:24] = 2
    labels[0, 0:2, 24:32], labels[0, 2:4, 24:32] = 2, 255
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (3, 8, 32)))
    mask = write_scene(tmp_path / "l.tif", labels, nodata=255)
    options = TileOptions((8, 8), labels=mask, sort_by=how)
    result = tile_scene(scene, tmp_path / "t", options)
    assert result.per_class == {str(c): expected.count(c) for c in sorted(set(expected))}
    for kind in ("images", "masks"):
        found = {p.stem[-3:]: p.parent.name for p in tifs(tmp_path / "t" / kind)}
        assert found == {f"c{8 * i:02}": str(c) for i, c in enumerate(expected)}
    mosaic_tiles(tmp_path / "t" / "masks", tmp_path / "m.tif")
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(), labels)
    with pytest.raises(InputError, match="holds images and masks"):
        mosaic_tiles(tmp_path / "t", tmp_path / "n.tif")


def test_folders_of_classes_are_safe_names(tmp_path: Path) -> None:
    """Whatever a mask calls its classes: two names stay two folders, and none leads elsewhere."""
    names = ["..", "a b", "a_b", "Dächer", "../../x"]
    classes = ClassList(tuple(LabelClass(i, name, "#000000") for i, name in enumerate(names)))
    labels = np.arange(5, dtype=np.uint8).repeat(8)[None, None].repeat(8, axis=1)
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (3, 8, 40)))
    mask = write_scene(tmp_path / "l.tif", labels)
    with rasterio.open(mask, "r+") as dataset:
        dataset.update_tags(**{CLASSES_TAG: json.dumps(classes.to_json())})
    tile_scene(scene, tmp_path / "t", TileOptions((8, 8), labels=mask, sort_by="max"))
    folders = {p.name for p in (tmp_path / "t" / "images").iterdir()}
    assert folders == {"0_", "1_a_b", "2_a_b", "3_Dächer", "4_.._.._x"}


def test_labels_on_another_grid_are_refused(tmp_path: Path) -> None:
    """Another size, another place, or no labels at all."""
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (3, 20, 20)))
    for name, pixels, transform, words in [
        ("size", noise("uint8", (1, 20, 21)), NORTH_UP, "does not lie on the grid"),
        ("place", noise("uint8", (1, 20, 20)), NORTH_UP @ Affine.translation(0.5, 0), "does not lie"),
        ("bands", noise("uint8", (3, 20, 20)), NORTH_UP, "are no labels"),
        ("type", noise("float32", (1, 20, 20)), NORTH_UP, "are no labels"),
    ]:
        labels = write_scene(tmp_path / f"{name}.tif", pixels, transform=transform)
        with pytest.raises(InputError, match=words):
            tile_scene(scene, tmp_path / "t", TileOptions((8, 8), labels=labels))
    assert not (tmp_path / "t").exists()


def test_patches_that_are_there_are_refused_or_replaced_as_a_whole(tmp_path: Path) -> None:
    """No patch of an earlier cut is left among those of the new one; other files stay."""
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (1, 40, 40)))
    tile_scene(scene, tmp_path / "t", TileOptions((8, 8)))
    (tmp_path / "t" / "notes.tif").write_text("mine")
    before = {p: p.read_bytes() for p in (tmp_path / "t").iterdir()}
    with pytest.raises(OutputError, match="exists"):
        tile_scene(scene, tmp_path / "t", TileOptions((20, 20)))
    assert {p: p.read_bytes() for p in (tmp_path / "t").iterdir()} == before
    tile_scene(scene, tmp_path / "t", TileOptions((20, 20), overwrite=True))
    names = [path.name for path in tifs(tmp_path / "t")]
    assert names == ["notes.tif", *(f"s_r{r:02}_c{c:02}.tif" for r in (0, 20) for c in (0, 20))]


def test_patches_of_other_runs_in_subfolders_stay(tmp_path: Path) -> None:
    """Only this run's own places are cleared; a folder with an index of its own is another run's."""
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (1, 40, 40)))
    labels = write_scene(tmp_path / "l.tif", noise("uint8", (1, 40, 40)))
    tile_scene(scene, tmp_path / "t" / "small", TileOptions((10, 10)))
    tile_scene(scene, tmp_path / "t" / "images" / "other", TileOptions((20, 20)))
    kept = {p: p.read_bytes() for p in (tmp_path / "t").rglob("*.*")}
    tile_scene(scene, tmp_path / "t", TileOptions((20, 20)))
    sorted_by_class = TileOptions((20, 20), labels=labels, sort_by="max", overwrite=True)
    tile_scene(scene, tmp_path / "t", sorted_by_class)
    tile_scene(scene, tmp_path / "t", TileOptions((8, 40), overwrite=True))
    assert {p: p.read_bytes() for p in kept} == kept
    own = {p.name for p in tifs(tmp_path / "t") if p not in kept}
    assert own == {f"s_r{r:02}_c00.tif" for r in (0, 8, 16, 24, 32)}


def test_a_mosaic_among_its_patches_is_none_of_them(tmp_path: Path) -> None:
    """Written into the patches' own folder, it is replaced, not read."""
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (1, 40, 40)))
    tile_scene(scene, tmp_path / "t", TileOptions((20, 20)))
    target = write_scene(tmp_path / "t" / "mosaic.tif", noise("uint16", (2, 7, 7)))
    result = mosaic_tiles(tmp_path / "t", target, MosaicOptions(overwrite=True))
    assert (result.patches, result.warnings) == (4, ())
    with rasterio.open(target) as mosaic, rasterio.open(scene) as original:
        assert mosaic.read().tobytes() == original.read().tobytes()


def test_holes_are_nodata_and_told(tmp_path: Path) -> None:
    """Where no patch lies, nothing is made up, with a nodata value and without."""
    pixels = noise("uint8", (2, 40, 40)) + 1
    for name, nodata in (("with", 0), ("without", None)):
        scene = write_scene(tmp_path / "s.tif", pixels, nodata=nodata)
        tile_scene(scene, tmp_path / name, TileOptions((10, 10)))
        for gone in ("s_r10_c10.tif", "s_r00_c00.tif"):
            (tmp_path / name / gone).unlink()
        result = mosaic_tiles(tmp_path / name, tmp_path / f"{name}.tif")
        assert "200 pixels lie in no patch" in result.warnings[0]
        holes = np.zeros((40, 40), bool)
        holes[10:20, 10:20] = holes[:10, :10] = True
        with rasterio.open(tmp_path / f"{name}.tif") as mosaic:
            np.testing.assert_array_equal(mosaic.dataset_mask() == 0, holes)
            np.testing.assert_array_equal(mosaic.read()[:, ~holes], pixels[:, ~holes])
            assert mosaic.transform == NORTH_UP


def test_overlaps_that_differ_are_told_and_the_first_counts(tmp_path: Path) -> None:
    """By row, then column."""
    (tmp_path / "a").mkdir()
    write_scene(tmp_path / "a" / "x.tif", np.full((1, 4, 6), 1, np.uint8))
    write_scene(
        tmp_path / "a" / "b.tif",
        np.full((1, 4, 6), 2, np.uint8),
        transform=NORTH_UP @ Affine.translation(4, 0),
    )
    result = mosaic_tiles(tmp_path / "a", tmp_path / "m.tif")
    assert "differ at 8 pixels" in result.warnings[0]
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        assert mosaic.read(1)[0].tolist() == [1] * 6 + [2] * 4


def test_patches_that_do_not_fit_together_are_refused(tmp_path: Path) -> None:
    """Another type, pixel size, a shift of half a pixel, too far apart, none at all."""
    one = np.ones((1, 4, 4), np.uint8)
    for name, pixels, transform, words in [
        ("type", one.astype(np.int16), NORTH_UP, "differ in data type"),
        ("bands", np.ones((2, 4, 4), np.uint8), NORTH_UP, "differ in number of bands"),
        ("pixel", one, NORTH_UP @ Affine.scale(2), "other pixels"),
        ("shift", one, NORTH_UP @ Affine.translation(0.5, 0), "between the pixels"),
    ]:
        (tmp_path / name).mkdir()
        write_scene(tmp_path / name / "a.tif", one)
        write_scene(tmp_path / name / "b.tif", pixels, transform=transform)
        with pytest.raises(InputError, match=words):
            mosaic_tiles(tmp_path / name, tmp_path / "m.tif")
    with pytest.raises(InputError, match="no such folder"):
        mosaic_tiles(tmp_path / "nothing", tmp_path / "m.tif")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no patches there"):
        mosaic_tiles(tmp_path / "empty", tmp_path / "m.tif")


PATCHES = ((16, 24), (6, 11))


def predict_patches(source: Path, target: Path, network: Any, nodata: float | None = None) -> None:
    """Anyone's network: each patch on its own, transforms kept."""
    target.mkdir()
    for path in tifs(source):
        with rasterio.open(path) as patch:
            result = network(patch.read())
            write_scene(target / path.name, result, transform=patch.transform, nodata=nodata)


@pytest.mark.parametrize("taper", ["hann", "linear", "none"])
@pytest.mark.parametrize("kind", ["floats", "levels", "classes"])
def test_a_per_pixel_network_blends_to_what_it_gives_on_the_whole_scene(
    tmp_path: Path, kind: str, taper: str
) -> None:
    """Law 3 for patches on disk: within one level; classes exactly."""
    pixels = noise("uint8", (2, 61, 83))
    networks = {
        "floats": lambda x: (x / np.float32(255)).astype(np.float32),
        "levels": lambda x: x,
        "classes": lambda x: (x[:1] // 50).astype(np.uint8),
    }
    network = networks[kind]
    scene = write_scene(tmp_path / "s.tif", pixels)
    tile_scene(scene, tmp_path / "t", TileOptions(*PATCHES))
    predict_patches(tmp_path / "t", tmp_path / "p", network)
    mosaic_tiles(tmp_path / "p", tmp_path / "m.tif", MosaicOptions(blend=True, taper=taper))
    expected = network(pixels)
    if kind == "floats":
        expected = np.rint(expected * 250)
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        error = np.abs(mosaic.read().astype(int) - expected.astype(int)).max()
        assert error <= (0 if kind == "classes" else 1)
        assert mosaic.transform == NORTH_UP
        if kind != "classes":
            assert (mosaic.scales, mosaic.nodata) == ((1 / 250, 1 / 250), 255)


def test_blending_weighs_patches_as_the_planned_grid_does(tmp_path: Path) -> None:
    """Patches of different constants give the sum of weights times constants, from the planned weights."""
    size = (40, 50)
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (1, *size)))
    tile_scene(scene, tmp_path / "t", TileOptions(*PATCHES))
    grid = PatchGrid.over(size, *PATCHES)
    numbers = itertools.count()
    predict_patches(
        tmp_path / "t", tmp_path / "p", lambda x: np.full(x.shape, next(numbers) % 7 / 7, np.float32)
    )
    expected = np.zeros(size)
    pairs = itertools.product(range(len(grid.rows.starts)), range(len(grid.cols.starts)))
    for number, (window, (i, j)) in enumerate(zip(grid, pairs, strict=True)):
        weights = np.outer(grid.rows.weights[i], grid.cols.weights[j])
        expected[window.slices] += weights * (number % 7 / 7)
    mosaic_tiles(tmp_path / "p", tmp_path / "m.tif", MosaicOptions(blend=True))
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        assert np.abs(mosaic.read(1) - expected * 250).max() <= 0.5001


def test_probabilities_blend_to_a_mask_where_one_is_wanted(tmp_path: Path) -> None:
    """One band: a threshold; several: the highest; nodata in patches does not count."""
    pixels = noise("uint8", (3, 40, 50))
    scene = write_scene(tmp_path / "s.tif", pixels)
    tile_scene(scene, tmp_path / "t", TileOptions(*PATCHES))
    options = MosaicOptions(blend=True, threshold=0.4)
    predict_patches(tmp_path / "t", tmp_path / "one", lambda x: (x[:1] / 200).astype(np.float32))
    predict_patches(tmp_path / "t", tmp_path / "all", lambda x: (x / 200).astype(np.float32))
    predict_patches(
        tmp_path / "t",
        tmp_path / "nan",
        lambda x: np.where(x[:1] < 20, np.nan, x[:1] / 200).astype(np.float32),
        float("nan"),
    )
    for name in ("one", "all", "nan"):
        mosaic_tiles(tmp_path / name, tmp_path / f"{name}.tif", options)
    with rasterio.open(tmp_path / "one.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(1), pixels[0] >= 80)
        classes = classes_of(mosaic.tags())
        assert classes is not None
        assert [c.name for c in classes] == ["background", "class 1"]
    with rasterio.open(tmp_path / "all.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(1), pixels.argmax(axis=0))
    with rasterio.open(tmp_path / "nan.tif") as mosaic:
        np.testing.assert_array_equal(mosaic.read(1), np.where(pixels[0] < 20, 255, pixels[0] >= 80))


def test_votes_count_by_weight(tmp_path: Path) -> None:
    """Near its edge a patch counts less than its neighbour near the middle."""
    (tmp_path / "p").mkdir()
    for col, value in ((0, 3), (4, 9)):
        write_scene(
            tmp_path / "p" / f"{col}.tif",
            np.full((1, 4, 8), value, np.uint8),
            transform=NORTH_UP @ Affine.translation(col, 0),
        )
    mosaic_tiles(tmp_path / "p", tmp_path / "m.tif", MosaicOptions(blend=True))
    with rasterio.open(tmp_path / "m.tif") as mosaic:
        assert mosaic.read(1)[0].tolist() == [3] * 6 + [9] * 6


def test_more_values_than_a_mask_has_classes_are_refused(tmp_path: Path) -> None:
    """Heights or numbers of objects are no classes: each would take memory of its own."""
    pixels = np.arange(400, dtype=np.uint16).reshape(1, 20, 20)
    tile_scene(write_scene(tmp_path / "s.tif", pixels), tmp_path / "t", TileOptions((10, 10)))
    with pytest.raises(OptionError, match="250 classes"):
        mosaic_tiles(tmp_path / "t", tmp_path / "m.tif", MosaicOptions(blend=True))
    assert not (tmp_path / "m.tif").exists()


def test_what_cannot_be_blended_is_refused(tmp_path: Path) -> None:
    """Logits, pictures of many bands that are no probabilities, options that do not go together."""
    (tmp_path / "logits").mkdir()
    (tmp_path / "pictures").mkdir()
    write_scene(tmp_path / "logits" / "a.tif", np.full((1, 4, 4), 3.5, np.float32))
    write_scene(tmp_path / "pictures" / "a.tif", np.ones((2, 4, 4), np.uint16))
    with pytest.raises(OutputError, match="sigmoid or softmax"):
        mosaic_tiles(tmp_path / "logits", tmp_path / "m.tif", MosaicOptions(blend=True))
    with pytest.raises(OptionError, match="are no predictions"):
        mosaic_tiles(tmp_path / "pictures", tmp_path / "m.tif", MosaicOptions(blend=True))
    assert not (tmp_path / "m.tif").exists()
    with pytest.raises(OptionError):
        MosaicOptions(threshold=0.5)
    with pytest.raises(OptionError):
        TileOptions(sort_by="max")
    with pytest.raises(OptionError):
        TileOptions(labels=Path("x"), sort_by="min")


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(1, 5), st.integers(1, 5)), min_size=1
    )
)
def test_holes_are_counted_exactly(places: list[tuple[int, int, int, int]]) -> None:
    """Against painting the windows."""
    windows = [Window(*place) for place in places]
    size = max(w.stop_row for w in windows), max(w.stop_col for w in windows)
    painted = np.zeros(size, bool)
    for window in windows:
        painted[window.slices] = True
    assert count_holes(windows, size) == int((~painted).sum())


def test_colour_bands_stay_colours(tmp_path: Path) -> None:
    """Red, green and blue are still that in patches and mosaic."""
    scene = write_scene(tmp_path / "s.tif", noise("uint8", (3, 20, 20)), photometric="rgb")
    tile_scene(scene, tmp_path / "t", TileOptions((8, 8)))
    mosaic_tiles(tmp_path / "t", tmp_path / "m.tif")
    for path in (*tifs(tmp_path / "t"), tmp_path / "m.tif"):
        with rasterio.open(path) as dataset:
            assert dataset.colorinterp == (ColorInterp.red, ColorInterp.green, ColorInterp.blue)


def test_patches_without_enough_labels_are_left_out(tmp_path: Path) -> None:
    """Counted, and so is in how many patches each class shows; what is kept is whole."""
    labels = np.zeros((1, 40, 60), np.uint8)
    labels[0, 5:15, 5:15] = 1
    labels[0, 25, 25] = 2
    scene = write_scene(tmp_path / "scene.tif", noise("uint8", (3, 40, 60)))
    masks = write_scene(tmp_path / "labels.tif", labels)
    options = {"patch": (20, 20), "labels": masks}
    everything = tile_scene(scene, tmp_path / "all", TileOptions(**options))
    some = tile_scene(scene, tmp_path / "some", TileOptions(**options, skip_empty=True))
    more = tile_scene(scene, tmp_path / "more", TileOptions(**options, min_label_fraction=0.2))

    assert (6, 0, {"0": 6, "1": 1, "2": 1}) == (everything.patches, everything.skipped, everything.showing)
    assert (2, 4, {"0": 2, "1": 1, "2": 1}) == (some.patches, some.skipped, some.showing)
    assert (1, 5, {"0": 1, "1": 1}) == (more.patches, more.skipped, more.showing)
    assert 2 == len(list((tmp_path / "some" / "images").glob("*.tif")))
    assert len(pyogrio.read_dataframe(some.index)) == 2
    with pytest.raises(InputError, match="none of the 6 patches"):
        tile_scene(scene, tmp_path / "none", TileOptions(**options, min_label_fraction=0.9))
    with pytest.raises(OptionError, match="--labels"):
        TileOptions(skip_empty=True)


def test_patches_of_a_vrt_of_palettes(tmp_path):
    """A VRT tells no colours: its patches are numbers, which open and go back together."""
    pixels = np.random.default_rng(0).integers(0, 3, (1, 64, 96), dtype=np.uint8)
    write_scene(tmp_path / "m.tif", pixels, colours={0: (0, 0, 0, 255), 1: (255, 0, 0, 255)})
    vrt = tmp_path / "m.vrt"
    vrt.write_text(
        '<VRTDataset rasterXSize="96" rasterYSize="64"><SRS>EPSG:32628</SRS>'
        "<GeoTransform>300000.25, 0.5, 0, 1600000.125, 0, -0.5</GeoTransform>"
        '<VRTRasterBand dataType="Byte" band="1"><ColorInterp>Palette</ColorInterp><SimpleSource>'
        '<SourceFilename relativeToVRT="1">m.tif</SourceFilename><SourceBand>1</SourceBand>'
        '<SrcRect xOff="0" yOff="0" xSize="96" ySize="64"/><DstRect xOff="0" yOff="0" xSize="96" ySize="64"/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )
    tile_scene(vrt, tmp_path / "patches", TileOptions((32, 32), (0, 0)))
    mosaic_tiles(tmp_path / "patches", tmp_path / "back.tif")

    with rasterio.open(tmp_path / "back.tif") as back:
        np.testing.assert_array_equal(back.read(), pixels)
