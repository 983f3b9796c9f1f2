"""What a mapper does next: several scenes, other formats, odd paths, pipes, tiles and back."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from PIL import Image

from tests.acceptance.driver import (
    Ran,
    assert_done,
    assert_one_line,
    names,
    quiet_environment,
    start,
)
from tests.scenes import write_scene

OUTPUTS = ("mask.qml", "mask.tif", "polygons.geojson", "polygons.gpkg", "polygons.qml", "run.json")


@pytest.fixture
def infer(geoseg, bundle):
    """``geoseg infer`` with the small model."""
    return lambda *words, **more: geoseg("infer", *words, "--bundle", bundle, "--runtime", "torch", **more)


def expected(*stems: str) -> list[str]:
    """All files of scenes of these names."""
    return sorted(f"{stem}_{output}" for stem in stems for output in OUTPUTS)


def test_several_scenes_and_a_pattern(infer, tmp_path):
    """Files and a quoted pattern, one after the other, each once."""
    (tmp_path / "dir").mkdir()
    for name in ("a.tif", "b.tif", "dir/c.tif", "dir/d.tif"):
        write_scene(tmp_path / name, (70, 90))
    ran = infer("a.tif", "b.tif", "dir/*.tif", "a.tif", "-o", "out", cwd=tmp_path)
    assert_done(ran)
    assert expected("a", "b", "c", "d") == names(tmp_path / "out")


def test_a_failure_among_several(infer, tmp_path):
    """The others are mapped, whole; the bad one is named in a line before the last, which counts."""
    for name in ("a.tif", "c.tif"):
        write_scene(tmp_path / name, (70, 90))
    (tmp_path / "b.tif").write_text("no raster")
    ran = infer(tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "c.tif", "-o", tmp_path / "out")
    assert_one_line(ran, "1 of 3 scenes was not mapped")
    failed = [line for line in ran.err.splitlines() if line.startswith("failed: ")]
    assert ["b.tif" in line for line in failed] == [True]
    assert names(tmp_path / "out") == expected("a", "c")


def test_current_folder_by_default(infer, scene, tmp_path):
    """``geoseg infer scene.tif`` writes beside the user."""
    assert_done(infer(scene, cwd=tmp_path))
    assert expected("town") == names(tmp_path)


def test_json(infer, geoseg, scene, bundle, tmp_path):
    """One JSON value a scene on stdout, its files exist; ``info`` and ``tile`` likewise."""
    ran = infer(scene, "-o", tmp_path, "--json")
    assert_done(ran)
    told = json.loads(ran.out)
    assert {"mask", "style", "polygons"} >= {output["kind"] for output in told["outputs"]}
    assert all(Path(output["path"]).is_file() for output in told["outputs"])
    assert "building" in json.loads(Path(told["record"]).read_text())["counts"]["mask"]
    assert 3 == len(json.loads(geoseg("info", scene, "--bundle", bundle, "--json").out)["info"]["bands"])
    assert (
        6 == json.loads(geoseg("tile", scene, "-o", tmp_path / "t", "--patch", 128, "--json").out)["patches"]
    )


def test_dry_run(infer, scene, tmp_path):
    """Tells patches, memory, disk and time, and writes nothing, not even the folder."""
    ran = infer(scene, "-o", tmp_path / "out", "--dry-run")
    assert_done(ran)
    for word in ("patches", "memory", "disk", "time"):
        assert word in ran.out, ran.out
    assert [] == list(tmp_path.iterdir())
    plan = json.loads(infer(scene, "-o", tmp_path / "out", "--dry-run", "--json").out)
    assert plan["estimate"]["seconds"] > 0


def test_box_and_area_agree(infer, scene, tmp_path):
    """A box and the same box as a polygon of a file give the same mask."""
    with rasterio.open(scene) as file:
        left, bottom, _, _ = file.bounds
    part = (left + 20.0, bottom + 20.0, left + 60.0, bottom + 60.0)
    assert_done(infer(scene, "-o", tmp_path / "box", "--bbox", ",".join(map(str, part))))
    geopandas.GeoDataFrame(geometry=[shapely.box(*part)], crs="EPSG:32628").to_file(tmp_path / "a.gpkg")
    assert_done(infer(scene, "-o", tmp_path / "aoi", "--aoi", tmp_path / "a.gpkg"))
    masks = []
    for name in ("box", "aoi"):
        with rasterio.open(tmp_path / name / "town_mask.tif") as file:
            masks.append(file.read(1))
    np.testing.assert_array_equal(masks[0], masks[1])
    inside = masks[0] != 255
    assert (100, 100) == (inside.any(axis=1).sum(), inside.any(axis=0).sum())


def test_all_formats_hold_the_same(infer, scene, tmp_path):
    """GeoPackage, GeoJSON, FlatGeobuf and GeoParquet: the same polygons."""
    assert_done(infer(scene, "-o", tmp_path, "--format", "fgb,parquet", "--format", "gpkg,geojson"))
    frames = {
        "gpkg": pyogrio.read_dataframe(tmp_path / "town_polygons.gpkg"),
        "fgb": pyogrio.read_dataframe(tmp_path / "town_polygons.fgb"),
        "parquet": geopandas.read_parquet(tmp_path / "town_polygons.parquet"),
        "geojson": pyogrio.read_dataframe(tmp_path / "town_polygons.geojson"),
    }
    assert len(frames["gpkg"]) > 0
    for frame in frames.values():
        assert len(frames["gpkg"]) == len(frame)
        area = frame.geometry.to_crs("EPSG:32628").area.sum()
        assert area == pytest.approx(frames["gpkg"].area.sum(), rel=5e-3)  # GeoJSON's digits
    assert 4326 == frames["geojson"].crs.to_epsg()
    assert 32628 == frames["gpkg"].crs.to_epsg()


def test_no_polygons(infer, scene, tmp_path):
    """``--format none`` leaves the rasters."""
    assert_done(infer(scene, "-o", tmp_path, "--format", "none", "--probabilities"))
    assert ["town_mask.qml", "town_mask.tif", "town_probabilities.tif", "town_run.json"] == names(tmp_path)


@pytest.mark.parametrize("word", ["mask", "probabilities"])
def test_vectorize_what_infer_wrote(infer, geoseg, scene, tmp_path, word):
    """Polygons later, from the rasters alone."""
    assert_done(infer(scene, "-o", tmp_path, "--probabilities"))
    path = tmp_path / f"again_{word}.gpkg"
    ran = geoseg("vectorize", tmp_path / f"town_{word}.tif", "-o", path)
    assert_done(ran)
    assert len(pyogrio.read_dataframe(path)) > 0


@pytest.mark.parametrize("options", [("--patch", "64"), ("--patch", "77x130", "--overlap", "13x50"), ()])
def test_tiles_and_back(geoseg, scene, tmp_path, options):
    """Bit for bit by checksum, with CRS and transform."""
    assert_done(geoseg("tile", scene, "-o", tmp_path / "tiles", *options))
    assert_done(geoseg("mosaic", tmp_path / "tiles", "-o", tmp_path / "again.tif"))
    with rasterio.open(scene) as first, rasterio.open(tmp_path / "again.tif") as second:
        assert first.crs == second.crs
        assert first.transform == second.transform
        sums = [hashlib.sha256(f.read().tobytes()).hexdigest() for f in (first, second)]
    assert sums[0] == sums[1]


def test_preview(infer, geoseg, scene, tmp_path):
    """The picture shows more than the scene alone."""
    assert_done(infer(scene, "-o", tmp_path, "--min-area-m2", 0))
    assert_done(geoseg("preview", scene, "-o", tmp_path / "bare.png", "--results", tmp_path / "none"))
    assert_done(geoseg("preview", scene, "-o", tmp_path / "map.png", "--results", tmp_path))
    bare, drawn = (np.asarray(Image.open(tmp_path / f"{name}.png")) for name in ("bare", "map"))
    assert bare.shape != drawn.shape or (bare != drawn).any()
    assert_one_line(geoseg("preview", scene, "-o", tmp_path / "map.png", "--results", tmp_path), "exists")
    assert_one_line(geoseg("preview", scene, "-o", tmp_path / "map.tif"), "map.tif", ".png")


ODD = ("with space", "建物", "it's 100%", "-dash", "[a]")


@pytest.mark.parametrize(
    "folder", ["Bäume und Häuser", *(pytest.param(name, marks=pytest.mark.slow) for name in ODD)]
)
def test_odd_paths(infer, geoseg, scene, tmp_path, folder):
    """Spaces, umlauts, other scripts, quotes, brackets: in the scene's path and in the output's."""
    place = tmp_path / folder
    place.mkdir()
    path = place / f"scène {folder}.tif"
    shutil.copy(scene, path)
    assert_done(infer(path, "-o", place / "out put"))
    assert expected(path.stem) == names(place / "out put")
    assert_done(geoseg("tile", path, "-o", place / "tiles", "--patch", 100))
    assert_done(geoseg("mosaic", place / "tiles", "-o", place / "again.tif"))
    assert_done(geoseg("preview", path, "--results", place / "out put", "-o", place / "bild.png"))


def test_relative_paths_and_links(infer, scene, tmp_path):
    """A scene from another folder, and one that is a link: named as the user named it."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    shutil.copy(scene, tmp_path / "there" / "s.tif")
    (tmp_path / "here" / "link.tif").symlink_to(Path("..") / "there" / "s.tif")
    assert_done(infer("../there/s.tif", "-o", "out", cwd=tmp_path / "here"))
    assert expected("s") == names(tmp_path / "here" / "out")
    assert_done(infer("link.tif", "-o", "linked", cwd=tmp_path / "here"))
    assert expected("link") == names(tmp_path / "here" / "linked")


def test_the_scene_folder_is_left_alone(infer, geoseg, scene, tmp_path):
    """Nothing is written beside the scene, and the scene is not touched."""
    (tmp_path / "scenes").mkdir()
    path = Path(shutil.copy(scene, tmp_path / "scenes" / "s.tif"))
    before = path.read_bytes(), path.stat().st_mtime_ns
    path.parent.chmod(0o555)
    assert_done(infer(path, "-o", tmp_path / "out"))
    assert_done(geoseg("info", path))
    assert_done(geoseg("preview", path, "-o", tmp_path / "p.png"))
    assert_done(geoseg("tile", path, "-o", tmp_path / "tiles"))
    path.parent.chmod(0o755)
    assert ["s.tif"] == names(path.parent)
    assert before == (path.read_bytes(), path.stat().st_mtime_ns)


def test_a_pipe_that_is_closed_early(scene, tmp_path):
    """``geoseg info ... | head -0``: no traceback, no complaint."""
    process = start("info", scene, "--json", cwd=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(60) in (0, 1, 141)
    assert [] == Ran(None, "", err).complaints


def test_the_same_again(infer, scene, tmp_path):
    """Two runs of the same inputs give the same bytes; a second run into the same folder is refused."""
    for name in ("one", "two"):
        assert_done(infer(scene, "-o", tmp_path / name, "--probabilities"))
    for path in (tmp_path / "one").iterdir():
        if path.suffix in (".tif", ".qml", ".geojson"):
            assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
    assert_one_line(infer(scene, "-o", tmp_path / "one"), "exists", "--overwrite")


@pytest.mark.slow
def test_the_installed_program(bundle, scene, tmp_path):
    """``geoseg`` as the package installs it, beside this Python, with the runtime it chooses itself."""
    program = Path(sys.executable).with_name("geoseg")
    if not program.exists():
        pytest.skip("geoseg is not installed beside this Python")
    words = [str(program), "infer", str(scene), "--bundle", str(bundle), "-o", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, env=quiet_environment(), check=False)
    assert_done(Ran(done.returncode, done.stdout, done.stderr))
    assert "device: cpu" in done.stderr
    assert expected("town") == names(tmp_path)
