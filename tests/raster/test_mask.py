"""Masks and probabilities: on the scene's grid to the last digit, whole or not there, readable anywhere."""

import errno
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rio_cogeo import cog_validate

from geoseg.core import (
    IDENTITY,
    ClassList,
    GeoGrid,
    InputScaling,
    LabelClass,
    PatchGrid,
    Plan,
    Sink,
    Strip,
)
from geoseg.errors import OutputError, SceneError
from geoseg.raster import cog
from geoseg.raster.cog import CogWriter
from geoseg.raster.layout import RasterLayout, storable_crs
from geoseg.raster.mask import CLASSES_TAG, MaskSink, ProbabilitySink, classes_of, count_labels

COLOURS = ("#000000", "#CC3322", "#22aa44", "#3355ff")
UTM = CRS.from_epsg(32628).to_wkt()


def classes_named(*names: str) -> ClassList:
    """Classes with a colour each."""
    return ClassList(tuple(LabelClass(i, name, COLOURS[i % len(COLOURS)]) for i, name in enumerate(names)))


def plan_of(grid: GeoGrid, classes: ClassList | None = None, edges: bool = False) -> Plan:
    """A plan that says what the sinks need to know."""
    classes = classes or classes_named("background", "building")
    return Plan(
        source=grid,
        network=grid,
        patches=PatchGrid.over(grid.size, (64, 64), (16, 16)),
        bands=(1,),
        dtype="uint8",
        scaling=InputScaling(None, None, (1.0,), (0.0,), (0.0,)),
        classes=classes,
        channels=1 if classes.is_binary else len(classes),
        has_edges=edges,
        activation="sigmoid" if classes.is_binary else "softmax",
        threshold_level=125,
        device="cpu",
        runtime="torch",
        precision="fp32",
        batch=1,
        tta=False,
        aoi=None,
    )


def labels_of(grid: GeoGrid, classes: int = 2, seed: int = 0) -> Any:
    """Blobs of classes with some nodata."""
    random = np.random.default_rng(seed)
    coarse = random.choice([*range(classes), 255], (-(-grid.height // 7), -(-grid.width // 5)))
    return np.kron(coarse, np.ones((7, 5), int))[: grid.height, : grid.width].astype(np.uint8)


def strips_of(labels: Any, height: int, channels: int = 1, edges: bool = False) -> Iterator[Strip]:
    """Labels cut into strips, with scores made from them."""
    for row in range(0, len(labels), height):
        part = labels[row : row + height]
        levels = np.where(part == 255, 255, part * 80).astype(np.uint8)
        scores = np.stack([np.where(part == 255, 255, levels // (i + 1)) for i in range(channels)])
        yield Strip(row, part, scores.astype(np.uint8), levels if edges else None)


def write(sink: Sink, strips: Iterator[Strip]) -> None:
    """What a run does with a sink."""
    for strip in strips:
        sink.add(strip)
    sink.finish()
    sink.commit()


def names(folder: Path) -> list[str]:
    """What lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 700), st.integers(1, 700), st.integers(1, 800), st.integers(0, 2**32))
def test_a_mask_holds_its_strips_whatever_their_height(
    height: int, width: int, strip: int, seed: int
) -> None:
    """The same pixels, and the same bytes, for any height of strips."""
    grid = GeoGrid(height, width, (0.5, 0.0, 300000.0, 0.0, -0.5, 1600000.0), UTM)
    labels = labels_of(grid, seed=seed)
    with tempfile.TemporaryDirectory() as folder:
        path, other = Path(folder) / "a_mask.tif", Path(folder) / "b_mask.tif"
        write(MaskSink(path, plan_of(grid), {"RUN": "x"}), strips_of(labels, strip))
        write(MaskSink(other, plan_of(grid), {"RUN": "x"}), strips_of(labels, height))
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read(1), labels)
            np.testing.assert_array_equal(dataset.read_masks(1) > 0, labels != 255)
        assert path.read_bytes() == other.read_bytes()
        assert names(Path(folder)) == ["a_mask.qml", "a_mask.tif", "b_mask.qml", "b_mask.tif"]


finite = st.floats(-1e7, 1e7, allow_nan=False).map(lambda v: v + 0.0)
steps = st.floats(1e-7, 1e4, allow_nan=False)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(steps, finite, finite, steps, st.sampled_from([-1.0, 1.0]), st.booleans()),
    st.sampled_from([None, 4326, 3857, 32628, 2193, 27700, 7844, 3413]),
)
def test_the_grid_is_equal_to_the_last_digit(
    numbers: tuple[float, float, float, float, float, bool], code: int | None
) -> None:
    """North-up, south-up, rotated; any CRS, or none."""
    a, c, f, e, sign, rotated = numbers
    transform = (a, e / 3 if rotated else 0.0, c, -a / 7 if rotated else 0.0, sign * e, f)
    crs = CRS.from_epsg(code).to_wkt() if code else None
    grid = GeoGrid(9, 13, transform, crs)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "mask.tif"
        write(MaskSink(path, plan_of(grid), {}), strips_of(labels_of(grid), 4))
        with rasterio.open(path) as dataset:
            assert tuple(dataset.transform)[:6] == transform
            assert dataset.crs == (CRS.from_wkt(crs) if crs else None)
            assert (dataset.height, dataset.width) == grid.size
            again = GeoGrid(9, 13, transform, dataset.crs.to_wkt() if dataset.crs else None)
        # what a GeoTIFF gave is kept to the letter of its WKT
        write(MaskSink(path, plan_of(again), {}, overwrite=True), strips_of(labels_of(grid), 4))
        with rasterio.open(path) as dataset:
            assert (dataset.crs.to_wkt() if dataset.crs else None) == again.crs


def test_a_plain_picture_stays_one(tmp_path: Path) -> None:
    """No CRS and no transform are not made up."""
    grid = GeoGrid(5, 6)
    write(MaskSink(tmp_path / "m.tif", plan_of(grid), {}), strips_of(labels_of(grid), 5))
    with rasterio.open(tmp_path / "m.tif") as dataset:
        assert (dataset.crs, tuple(dataset.transform)[:6]) == (None, IDENTITY)


def test_a_crs_by_another_name_is_kept_and_one_that_cannot_be_stored_is_refused_at_once(
    tmp_path: Path,
) -> None:
    """OGC:CRS84 comes back as EPSG:4326, the same places; a site's own system has no place in a GeoTIFF."""
    grid = GeoGrid(5, 6, (1e-5, 0.0, 10.0, 0.0, -1e-5, 50.0), CRS.from_string("OGC:CRS84").to_wkt())
    assert storable_crs(grid, tmp_path) == CRS.from_epsg(4326)
    site = 'ENGCRS["site",EDATUM["x"],CS[Cartesian,2],AXIS["e",east],AXIS["n",north],LENGTHUNIT["metre",1]]'
    with pytest.raises(OutputError, match="coordinate reference system"):
        MaskSink(tmp_path / "m.tif", plan_of(GeoGrid(5, 6, IDENTITY, site)), {})
    assert names(tmp_path) == []


def test_a_mask_is_a_valid_cog_with_looks(tmp_path: Path) -> None:
    """Colour table, classes and tags in the file, overviews of true classes, no BigTIFF, one codec."""
    grid = GeoGrid(1500, 1300, (0.5, 0.0, 300000.0, 0.0, -0.5, 1600000.0), UTM)
    classes = classes_named("background", "building", "road é", "water")
    labels = labels_of(grid, 4)
    path = tmp_path / "scene_mask.tif"
    write(MaskSink(path, plan_of(grid, classes), {"GEOSEG_RUN": "abc"}), strips_of(labels, 384, 4))
    valid, errors, warnings = cog_validate(str(path))
    assert (valid, errors, warnings) == (True, [], [])
    with rasterio.open(path) as dataset:
        assert (dataset.dtypes, dataset.nodata, dataset.count) == (("uint8",), 255, 1)
        assert [dataset.colormap(1)[i][:3] for i in range(4)] == [c.rgb for c in classes]
        assert dataset.tags()["GEOSEG_RUN"] == "abc"
        assert classes_of(dataset.tags()) == classes
        assert dataset.overviews(1) == [2, 4]
        assert dataset.profile["compress"] == "deflate"
    with rasterio.open(path, OVERVIEW_LEVEL=0) as overview:
        assert set(np.unique(overview.read(1))) <= {0, 1, 2, 3, 255}


def test_the_style_names_every_class_and_hides_the_background(tmp_path: Path) -> None:
    """QGIS loads it by itself: same name, suffix .qml."""
    grid = GeoGrid(5, 6)
    classes = classes_named("background", 'a <"&> b', "water")
    write(MaskSink(tmp_path / "m.tif", plan_of(grid, classes), {}), strips_of(labels_of(grid), 5, 3))
    entries = ET.parse(tmp_path / "m.qml").findall("pipe/rasterrenderer[@type='paletted']/colorPalette/*")
    shown = [(e.get("value"), e.get("label"), e.get("color")) for e in entries]
    assert shown == [(str(c.id), c.name, c.colour.lower()) for c in classes]
    assert [e.get("alpha") == "0" for e in entries] == [True, False, False]


@pytest.mark.parametrize("classes", [2, 4, 40])
def test_pixels_are_counted_per_class(tmp_path: Path, classes: int) -> None:
    """The summary tells every class, also those that do not occur."""
    grid = GeoGrid(300, 200)
    listed = classes_named(*(f"class {i}" for i in range(classes)))
    labels = labels_of(grid, classes)
    sink = MaskSink(tmp_path / "m.tif", plan_of(grid, listed), {})
    for strip in strips_of(labels, 64):
        sink.add(strip)
    sink.finish()
    expected = {f"class {i}": int((labels == i).sum()) for i in range(classes)}
    assert sink.commit()[0].summary == expected | {"nodata": int((labels == 255).sum())}
    np.testing.assert_array_equal(count_labels(labels, classes), np.bincount(labels.ravel(), minlength=256))


@pytest.mark.parametrize("edges", [False, True])
@pytest.mark.parametrize("names_", [("background", "building"), ("background", "road", "water")])
def test_probabilities_have_a_band_per_channel(tmp_path: Path, names_: tuple[str, ...], edges: bool) -> None:
    """Named after its class; scale and offset make probabilities of the levels."""
    grid = GeoGrid(700, 600, (0.5, 0.0, 300000.0, 0.0, -0.5, 1600000.0), UTM)
    plan = plan_of(grid, classes_named(*names_), edges)
    strips = list(strips_of(labels_of(grid, 3), 100, plan.channels, edges))
    path = tmp_path / "scene_probabilities.tif"
    write(ProbabilitySink(path, plan, {"A": "b"}), iter(strips))
    listed = names_[1:] if len(names_) == 2 else names_
    assert cog_validate(str(path))[0]
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == listed + (("edge",) if edges else ())
        assert set(dataset.scales) == {1 / 250}
        assert set(dataset.offsets) == {0.0}
        assert dataset.nodata == 255
        scores = np.concatenate([s.scores for s in strips], axis=1)
        np.testing.assert_array_equal(dataset.read()[: len(scores)], scores)
        if edges:
            last = np.concatenate([s.edges for s in strips if s.edges is not None])
            np.testing.assert_array_equal(dataset.read()[-1], last)
    assert names(tmp_path) == [path.name]


@pytest.mark.parametrize("suffix", [".tif", ".qml"])
def test_existing_outputs_are_refused(tmp_path: Path, suffix: str) -> None:
    """The mask as well as its style, before anything is computed."""
    (tmp_path / f"m{suffix}").write_text("old")
    with pytest.raises(OutputError, match="exists"):
        MaskSink(tmp_path / "m.tif", plan_of(GeoGrid(5, 6)), {})
    assert names(tmp_path) == [f"m{suffix}"]


@pytest.mark.parametrize(
    "tag", ["", "{", "3", "[3]", '[{"id": 0}]', '[{"id": 1e999, "name": "a", "colour": "#000000"}]']
)
def test_a_damaged_list_of_classes_is_one_line(tag: str) -> None:
    """Whatever a stranger's mask carries in the tag."""
    with pytest.raises(SceneError, match=r"m\.tif.*classes"):
        classes_of({CLASSES_TAG: tag}, Path("m.tif"))


def test_companions_that_cannot_be_removed_are_one_line(tmp_path: Path) -> None:
    """A folder under the name of an overview file."""
    grid = GeoGrid(5, 6)
    (tmp_path / "m.tif.ovr").mkdir()
    with pytest.raises(OutputError, match=r"m\.tif\.ovr"):
        write(MaskSink(tmp_path / "m.tif", plan_of(grid), {}, overwrite=True), strips_of(labels_of(grid), 5))


def test_overwriting_forgets_companions_of_the_old_file(tmp_path: Path) -> None:
    """Overviews and statistics of another mask would be taken for the new one's."""
    grid = GeoGrid(5, 6)
    for name in ("m.tif", "m.tif.ovr", "m.tif.aux.xml", "m.tif.msk", "m.tfw"):
        (tmp_path / name).write_text("old")
    write(MaskSink(tmp_path / "m.tif", plan_of(grid), {}, overwrite=True), strips_of(labels_of(grid), 5))
    assert names(tmp_path) == ["m.qml", "m.tfw", "m.tif"]


STEPS = {
    "create": ("_create", OSError(errno.ENOSPC, "full")),
    "write": ("_put", rasterio.errors.RasterioIOError("write error")),
    "copy": ("_options", CPLE_BaseError(3, 1, "write error")),
    "check": ("_check", OutputError("damaged", "check the disk")),
}


@pytest.mark.parametrize("step", [*STEPS, "rename", "interrupt"])
def test_a_failure_at_any_step_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """Law 8: one line for the user, and the folder as it was."""
    grid = GeoGrid(500, 300)
    target = tmp_path / "m.tif"
    write(MaskSink(target, plan_of(grid), {}), strips_of(labels_of(grid), 100))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    error: type[BaseException] = OutputError
    if step == "rename":
        fails = OSError(errno.EIO, "io")
        monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(fails))
    elif step == "interrupt":
        error = KeyboardInterrupt
        monkeypatch.setattr(CogWriter, "_put", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    else:
        method, raised = STEPS[step]
        monkeypatch.setattr(CogWriter, method, lambda *_: (_ for _ in ()).throw(raised))
    with pytest.raises(error) as caught:  # noqa: PT012 - whichever step fails
        sink = None
        try:
            sink = MaskSink(target, plan_of(grid), {}, overwrite=True)
            write(sink, strips_of(labels_of(grid, seed=1), 100))
        finally:
            if sink is not None:
                sink.abort()
                sink.abort()
    assert "\n" not in str(caught.value)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_damage_on_the_way_to_the_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read back is compared with what was sent."""
    grid = GeoGrid(500, 300)
    real = cog.rasterio.shutil.copy

    def damaging(source: str, target: str, **options: Any) -> None:
        with rasterio.open(source, "r+") as dataset:
            dataset.write(np.full((1, 1, 1), 7, np.uint8), window=((400, 401), (200, 201)))
        real(source, target, **options)

    sink = MaskSink(tmp_path / "m.tif", plan_of(grid), {})
    for strip in strips_of(labels_of(grid), 100):
        sink.add(strip)
    monkeypatch.setattr(cog.rasterio.shutil, "copy", damaging)
    with pytest.raises(OutputError, match="does not hold what was written"):
        sink.finish()
    sink.abort()
    assert names(tmp_path) == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 5 MB."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=5m", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a small disk: {mounted.stderr.decode().strip()}")
    yield tmp_path
    subprocess.run(["umount", str(tmp_path)], check=True)


@pytest.mark.parametrize("free", [0, 400_000, 1_500_000, 3_000_000, 4_500_000])
@pytest.mark.parametrize("kind", [MaskSink, ProbabilitySink])
def test_a_full_disk_is_one_line_and_leaves_no_file(small_disk: Path, free: int, kind: Any) -> None:
    """Noise does not compress: five megabytes are too few, wherever they run out."""
    grid = GeoGrid(2600, 2600)
    noise = np.random.default_rng(0).integers(0, 2, grid.size, np.uint8) * 77
    filler = small_disk / "filler"
    filler.write_bytes(bytes(5 * 1024 * 1024 - free - 65536))
    sink = None
    with pytest.raises(OutputError, match="the disk is full"):  # noqa: PT012 - whichever step fails
        try:
            sink = kind(small_disk / "m.tif", plan_of(grid), {})
            write(sink, iter([Strip(0, noise, noise[None])]))
        finally:
            if sink is not None:
                sink.abort()
    assert names(small_disk) == ["filler"]


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["uint8", "int16", "uint16", "int32", "uint32", "float32", "float64", "complex64"]),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 2**32),
)
def test_any_type_and_number_of_bands_comes_back(dtype: str, bands: int, masked: bool, seed: int) -> None:
    """Rasters that are not masks go the same way; an internal mask is kept."""
    random = np.random.default_rng(seed)
    rows = random.integers(0, 200, (bands, 300, 170)).astype(dtype)
    valid = random.random((300, 170)) < 0.7
    layout = RasterLayout(GeoGrid(300, 170), dtype, bands, masked=masked, nearest=False, predictor=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        writer = CogWriter(path, layout)
        for row in range(0, 300, 110):
            part = slice(row, row + 110)
            writer.write(rows[:, part], valid[part] if masked else None)
        writer.finish()
        writer.commit()
        with rasterio.open(path) as dataset:
            np.testing.assert_array_equal(dataset.read(), rows)
            if masked:
                np.testing.assert_array_equal(dataset.read_masks(1) > 0, valid)
        assert names(Path(folder)) == ["a.tif"]
