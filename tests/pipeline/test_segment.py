"""The main job, end to end, on small scenes and a small network with random weights."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import geopandas
import numba
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine

from geoseg.core import Defaults, GeoGrid, NetworkOptions, PolygonSettings, SegmentOptions, VectorOptions
from geoseg.errors import OptionError, OutputError, ResumeError, SceneError
from geoseg.model.bundle import load_bundle
from geoseg.model.predictor import Predictors
from geoseg.pipeline import segment as pipeline
from geoseg.pipeline.segment import OutputOptions, SegmentListener, SegmentResult, segment
from geoseg.vector.formats import write
from tests.scenes import write_scene
from tests.support import make_test_bundle

SMALL = NetworkOptions(patch=(64, 64), overlap=(32, 32), runtime="torch")
OPTIONS = SegmentOptions(network=SMALL, vectors=VectorOptions(min_area_m2=0), probabilities=True)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle with random weights and an edge output."""
    return make_test_bundle(tmp_path_factory.mktemp("bundle") / "tiny", has_edges=True)


@pytest.fixture
def scene(tmp_path):
    """A scene of 150 x 200 pixels with a corner without data."""
    return write_scene(tmp_path / "scene.tif", (150, 200))


def _run(scene: Path, bundle: Path, folder: Path, options: SegmentOptions = OPTIONS) -> SegmentResult:
    return segment(scene, bundle, OutputOptions(folder), options)


def _read(path: Path) -> np.ndarray:
    with rasterio.open(path) as file:
        return file.read()


def test_outputs_lie_on_the_scenes_grid(scene, bundle, tmp_path):
    """Laws 5 and 7: size, transform and CRS equal; nodata exactly where the scene has none."""
    result = _run(scene, bundle, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir() if p.suffix != ".qml") == [
        "scene_mask.tif",
        "scene_polygons.geojson",
        "scene_polygons.gpkg",
        "scene_probabilities.tif",
        "scene_run.json",
    ]
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "out" / "scene_mask.tif") as mask:
        assert (mask.width, mask.height) == (source.width, source.height)
        assert (mask.transform, mask.crs, mask.nodata) == (source.transform, source.crs, 255)
        np.testing.assert_array_equal(mask.read(1) == 255, source.dataset_mask() == 0)
        labels = mask.read(1)
    scores = _read(tmp_path / "out" / "scene_probabilities.tif")[0]
    np.testing.assert_array_equal(labels[labels != 255], (scores >= 125)[labels != 255])
    record = json.loads(result.record_path.read_text())
    assert record["counts"]["mask"]["building"] == int((labels == 1).sum())


@pytest.mark.parametrize(
    "transform",
    [
        Affine(0.4, 0.1, 500000, 0.1, -0.4, 3000000),
        Affine(0.4, 0, 500000, 0, 0.4, 3000000),
        Affine(0.1, 0, 500000, 0, -0.1, 3000000),
        Affine(2.0, 0, 500000.123456789, 0, -2.0, 3000000.987654321),
    ],
    ids=["rotated", "south-up", "finer", "coarser"],
)
def test_any_transform_is_kept(bundle, tmp_path, transform):
    """Law 5: also where the network ran at another GSD."""
    scene = write_scene(tmp_path / "scene.tif", (90, 110), transform=transform)
    _run(scene, bundle, tmp_path / "out")
    with rasterio.open(scene) as source, rasterio.open(tmp_path / "out" / "scene_mask.tif") as mask:
        assert (mask.shape, mask.transform, mask.crs) == (source.shape, source.transform, source.crs)
        np.testing.assert_array_equal(mask.read(1) == 255, source.dataset_mask() == 0)


def test_an_aoi_only_limits_the_output(scene, bundle, tmp_path):
    """Law 7: inside the AOI nothing changes, outside is nodata."""
    with rasterio.open(scene) as source:
        x0, y0 = source.transform @ (40, 30)
        x1, y1 = source.transform @ (120, 110)
    ring = [[x0, y0], [x1, y0], [x1, y1], [x0, y1], [x0, y0]]
    aoi = json.dumps({"type": "Polygon", "coordinates": [ring]})
    _run(scene, bundle, tmp_path / "whole")
    _run(scene, bundle, tmp_path / "part", replace(OPTIONS, aoi=aoi, full_extent=True))
    whole, part = (_read(tmp_path / f / "scene_probabilities.tif")[0] for f in ("whole", "part"))
    inside = np.zeros(whole.shape, bool)
    inside[30:110, 40:120] = True
    np.testing.assert_array_equal(np.where(inside, whole, 255), part)


def test_polygons_lie_over_the_mask(scene, bundle, tmp_path):
    """GPKG in the scene's CRS, GeoJSON in longitude and latitude, as many polygons in both."""
    _run(scene, bundle, tmp_path / "out")
    gpkg = geopandas.read_file(tmp_path / "out" / "scene_polygons.gpkg")
    geojson = geopandas.read_file(tmp_path / "out" / "scene_polygons.geojson")
    with rasterio.open(scene) as source:
        assert gpkg.crs == source.crs
    assert geojson.crs.to_epsg() == 4326
    assert len(gpkg) == len(geojson) > 0
    np.testing.assert_allclose(gpkg["area_m2"], geojson["area_m2"], rtol=1e-6)


def test_existing_results_are_kept(scene, bundle, tmp_path):
    """Refused without --overwrite, before anything is computed; replaced with it."""
    _run(scene, bundle, tmp_path / "out")
    before = (tmp_path / "out" / "scene_mask.tif").read_bytes()
    with pytest.raises(OutputError, match="exists"):
        _run(scene, bundle, tmp_path / "out")
    assert (tmp_path / "out" / "scene_mask.tif").read_bytes() == before
    outputs = OutputOptions(tmp_path / "out", overwrite=True)
    segment(scene, bundle, outputs, replace(OPTIONS, threshold=0.9))
    assert (tmp_path / "out" / "scene_mask.tif").read_bytes() != before


def test_scenes_share_a_network_and_no_bytes_change(bundle, tmp_path):
    """One after the other with one predictor: what each gives alone, also where the second needs another."""
    scenes = [write_scene(tmp_path / f"{n}.tif", (150, 200), seed=n) for n in range(2)]
    scenes.append(write_scene(tmp_path / "other.tif", (130, 170), dtype="uint16", seed=3))
    shared = Predictors()
    for scene in scenes:
        _run(scene, bundle, tmp_path / "alone")
        segment(scene, bundle, OutputOptions(tmp_path / "shared"), OPTIONS, predictors=shared)
        for ending in ("mask.tif", "probabilities.tif", "polygons.geojson"):
            name = f"{scene.stem}_{ending}"
            assert (tmp_path / "alone" / name).read_bytes() == (tmp_path / "shared" / name).read_bytes()


def test_resume_of_nothing_and_of_everything(scene, bundle, tmp_path):
    """Law 9: with nothing begun it starts; with all done it says so; with other options it refuses."""
    outputs = OutputOptions(tmp_path / "out", resume=True)
    assert segment(scene, bundle, outputs, OPTIONS).fresh
    again = segment(scene, bundle, outputs, OPTIONS)
    assert not again.fresh
    assert {o.path.name for o in again.outputs} >= {"scene_mask.tif", "scene_polygons.gpkg"}
    with pytest.raises(ResumeError, match="options"):
        segment(scene, bundle, outputs, replace(OPTIONS, threshold=0.9))


class _StoppedError(Exception):
    pass


def _stop_after(patches: int) -> SegmentListener:
    done = [0]

    def progress(more: int) -> None:
        done[0] += more
        if done[0] >= patches:
            raise _StoppedError

    return SegmentListener(progress=progress)


def test_an_error_half_way_leaves_no_output(scene, bundle, tmp_path):
    """Law 8: nothing but the spool is left, and a resumed run gives the same bytes."""
    outputs = OutputOptions(tmp_path / "out")
    with pytest.raises(_StoppedError):
        segment(scene, bundle, outputs, OPTIONS, _stop_after(12))
    assert [p.name for p in (tmp_path / "out").iterdir()] == [".scene_run.spool"]
    with pytest.raises(OutputError, match="--resume"):
        segment(scene, bundle, outputs, OPTIONS)
    changed = replace(OPTIONS, network=replace(SMALL, taper="linear"))
    with pytest.raises(ResumeError, match="options"):
        segment(scene, bundle, replace(outputs, resume=True), changed)
    result = segment(scene, bundle, replace(outputs, resume=True), OPTIONS)
    assert result.record.counts["strips_from_spool"] > 0
    _run(scene, bundle, tmp_path / "unbroken")
    for name in ("scene_mask.tif", "scene_probabilities.tif", "scene_polygons.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()
    assert not list((tmp_path / "out").glob(".*"))


def test_cut_off_while_writing(scene, bundle, tmp_path, monkeypatch):
    """Law 9: all rows are computed, the files are not yet there: a resumed run only writes."""
    outputs = OutputOptions(tmp_path / "out")

    def fail(self):
        raise _StoppedError

    with monkeypatch.context() as patched:
        patched.setattr("geoseg.raster.mask.MaskSink.finish", fail)
        with pytest.raises(_StoppedError):
            segment(scene, bundle, outputs, OPTIONS)
    result = segment(scene, bundle, replace(outputs, resume=True), OPTIONS)
    assert result.record.counts["strips_from_spool"] > 1
    _run(scene, bundle, tmp_path / "unbroken")
    for name in ("scene_mask.tif", "scene_polygons.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()


def _write_no_polygons(batches, pending, table):
    if any(True for _ in batches()):
        raise RuntimeError("no more")
    return write._geopackage(batches, pending, table)


def test_polygons_that_cannot_be_written(scene, bundle, tmp_path, monkeypatch):
    """The mask and the spool stay; a resumed run with another format and threshold runs no network."""
    outputs = OutputOptions(tmp_path / "out")
    monkeypatch.setitem(write.WRITERS, ".gpkg", _write_no_polygons)
    with pytest.raises(OutputError, match=r"--resume goes on.*another --format"):
        segment(scene, bundle, outputs, OPTIONS)
    left = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert left == [".scene_run.spool", "scene_mask.qml", "scene_mask.tif", "scene_probabilities.tif"]
    other = replace(OPTIONS, formats=("geojson",), threshold=0.3, probabilities=False)
    _run(scene, bundle, tmp_path / "unbroken", other)

    monkeypatch.setattr("geoseg.model.torch_predictor.TorchPredictor.stream", _no_patch)
    result = segment(scene, bundle, replace(outputs, resume=True), other)
    assert {o.path.name for o in result.outputs} >= {"scene_mask.tif", "scene_polygons.geojson"}
    for name in ("scene_mask.tif", "scene_polygons.geojson"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "unbroken" / name).read_bytes()
    assert not list((tmp_path / "out").glob(".*"))


def _no_patch(self, batches):
    assert list(batches) == []
    return iter(())


@pytest.mark.parametrize("formats", [("gpkg",), ("fgb",), ("parquet",)])
def test_a_format_that_cannot_be_written_is_known_before(scene, bundle, tmp_path, monkeypatch, formats):
    """Each format is tried without polygons before the network runs; then nothing at all is left."""

    def fail(*arguments):
        raise RuntimeError("no driver")

    monkeypatch.setitem(write.WRITERS, f".{formats[0]}", fail)
    monkeypatch.setattr("geoseg.model.torch_predictor.TorchPredictor.stream", fail)
    with pytest.raises(OutputError, match="no driver"):
        _run(scene, bundle, tmp_path / "out", replace(OPTIONS, formats=formats))
    assert list((tmp_path / "out").iterdir()) == []


def test_names_that_become_too_long_are_known_before(bundle, tmp_path, monkeypatch):
    """A scene's name and what is added to it fit into 255 bytes, or it is said by how many they do not."""
    name = "ü" * 120  # 240 bytes; _probabilities.tif has 18, and .../_run.spool 11
    scene = write_scene(tmp_path / f"{name}.tif", (80, 90))
    with pytest.raises(OutputError, match=r"258.*3 bytes shorter"):
        _run(scene, bundle, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []
    few = replace(OPTIONS, formats=("fgb",), probabilities=False)
    assert (tmp_path / "out" / f"{name}_polygons.fgb") in [
        output.path for output in _run(scene, bundle, tmp_path / "out", few).outputs
    ]


def test_results_are_no_scenes(scene, bundle, tmp_path):
    """A mask or probabilities of geoseg are refused, with what may be meant instead."""
    _run(scene, bundle, tmp_path / "out")
    for ending in ("mask", "probabilities"):
        with pytest.raises(SceneError, match=r"that geoseg made.*geoseg vectorize"):
            _run(tmp_path / "out" / f"scene_{ending}.tif", bundle, tmp_path / "again")


def test_a_scene_that_was_replaced_begins_anew(bundle, tmp_path):
    """Where a list of scenes is mapped again, a file that was mended since is no obstacle."""
    path = write_scene(tmp_path / "scene.tif", (150, 200))
    outputs = OutputOptions(tmp_path / "out")
    with pytest.raises(_StoppedError):
        segment(path, bundle, outputs, OPTIONS, _stop_after(12))
    write_scene(path, (150, 200), seed=5)
    with pytest.raises(ResumeError, match="scene"):
        segment(path, bundle, replace(outputs, resume=True), OPTIONS)
    assert segment(path, bundle, replace(outputs, resume=True, renew=True), OPTIONS).fresh


def test_a_scene_without_crs_works(bundle, tmp_path):
    """No CRS: a mask all the same, and a warning that says what cannot be measured."""
    scene = write_scene(tmp_path / "plain.tif", (80, 90), crs=None, transform=Affine.identity())
    result = _run(scene, bundle, tmp_path / "out")
    assert any("no CRS" in w and "no GeoJSON" in w for w in result.record.warnings)
    assert (tmp_path / "out" / "plain_polygons.gpkg").exists()
    assert not (tmp_path / "out" / "plain_polygons.geojson").exists()
    with pytest.raises(OptionError, match="--format gpkg"):
        _run(scene, bundle, tmp_path / "only", replace(OPTIONS, formats=("geojson",)))


def test_wrong_inputs_are_named(bundle, tmp_path):
    """One clear line each."""
    with pytest.raises(SceneError, match=r"missing\.tif"):
        _run(tmp_path / "missing.tif", bundle, tmp_path)
    gray = write_scene(tmp_path / "gray.tif", (80, 90), bands=1)
    with pytest.raises(SceneError, match="--bands"):
        _run(gray, bundle, tmp_path / "out")
    result = segment(
        gray,
        bundle,
        OutputOptions(tmp_path / "out"),
        replace(OPTIONS, network=replace(SMALL, bands=("1",) * 3)),
    )
    assert result.fresh


def test_a_run_replaces_all_of_the_one_before(scene, bundle, tmp_path):
    """Files of formats that are no longer wanted would be taken for parts of it; others' files stay."""
    folder = tmp_path / "out"
    _run(scene, bundle, folder)
    (folder / "notes.txt").write_text("mine")
    few = replace(OPTIONS, probabilities=False, formats=("geojson",))
    segment(scene, bundle, OutputOptions(folder, overwrite=True), few)

    assert sorted(p.name for p in folder.iterdir() if p.suffix != ".qml") == [
        "notes.txt",
        "scene_mask.tif",
        "scene_polygons.geojson",
        "scene_run.json",
    ]


def test_metres_of_a_bundle_are_no_pixels(bundle, tmp_path):
    """Where there is no CRS, its tolerance for outlines says nothing."""
    grid = GeoGrid(100, 100)
    classes = load_bundle(bundle).spec.classes
    for wanted, expected in ((None, 0.0), (2.0, 2.0)):
        options = VectorOptions(simplify_m=wanted)
        settings = PolygonSettings.of(options, classes, grid.crs is not None, Defaults({}, simplify_m=5.0))
        assert settings.simplify_m == expected


@pytest.mark.parametrize(("stated", "pixels"), [(None, 4), (0.4, 6.25)])
def test_a_bundles_smallest_area_holds_without_a_crs(stated, pixels, bundle, tmp_path):
    """A square metre is pixels of the coarsest size that it knows, or of the size that the user states."""
    whole = load_bundle(bundle)
    known = replace(whole, spec=replace(whole.spec, min_area_m2={"1": 1.0}, gsd_range_m=(0.3, 0.5)))
    scene = write_scene(tmp_path / "plain.tif", (150, 200), crs=None, transform=Affine.identity())
    network = replace(SMALL, gsd_m=stated)
    results = [
        segment(
            scene, known, OutputOptions(tmp_path / name), SegmentOptions(network=network, vectors=vectors)
        )
        for name, vectors in (("usual", VectorOptions()), ("said", VectorOptions(min_area_m2=pixels)))
    ]
    paths = [tmp_path / name / "plain_polygons.gpkg" for name in ("usual", "said")]
    usual, said = (geopandas.read_file(path, layer="plain_polygons") for path in paths)

    assert len(usual)
    assert usual["area_px"].min() >= pixels
    assert usual.geometry.tolist() == said.geometry.tolist()
    assert any(f"below {pixels:.3g} px" in line for line in results[0].record.warnings)
    assert not any("are dropped" in line for line in results[1].record.warnings)


def test_a_first_run_says_that_it_compiles(scene, bundle, tmp_path, monkeypatch):
    """A user is told when loops are compiled, and not when they are only loaded, however long that takes."""
    told = []
    loop = numba.njit(lambda number: number + 1)

    def run(name: str) -> None:
        monkeypatch.setattr(pipeline, "load_kernels", lambda *arguments: loop(1))
        outputs = OutputOptions(tmp_path / name)
        segment(scene, bundle, outputs, OPTIONS, SegmentListener(compiling=lambda: told.append(name)))

    run("first")
    run("second")
    assert told == ["first"]
