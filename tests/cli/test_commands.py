"""Commands on small scenes: what they print, write and refuse."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from rasterio.transform import Affine

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from tests.raster.reading import write_raster
from tests.scenes import write_scene
from tests.train.sets import write_set


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """A scene of 96x130 pixels of 0.4 m."""
    return write_scene(tmp_path / "scene.tif", (96, 130))


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results land in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def test_info_tells_what_rasterio_tells(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Size, CRS, dtype, blocks and nodata as rasterio, opened by itself, sees them."""
    assert geoseg("info", scene, "--json") == 0

    told = json.loads(capsys.readouterr().out)
    with rasterio.open(scene) as expected:
        assert (told["info"]["grid"]["height"], told["info"]["grid"]["width"]) == expected.shape
        assert tuple(told["info"]["grid"]["transform"]) == tuple(expected.transform)[:6]
        assert told["info"]["dtype"] == expected.dtypes[0]
        assert told["info"]["nodata"] == expected.nodata
        assert tuple(told["storage"]["block"]) == expected.block_shapes[0]
        share = float((expected.read_masks(1) > 0).mean())
    assert told["storage"]["compression"] == "deflate"
    assert told["storage"]["valid_share"] == pytest.approx(share, abs=0.05)
    assert told["info"]["gsd_m"] == pytest.approx((0.4, 0.4), rel=0.002)
    assert told["crs"] == "EPSG:32628 (WGS 84 / UTM zone 28N)"


def test_info_for_people(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A short table."""
    assert geoseg("info", scene) == 0

    out = capsys.readouterr().out
    assert "96 x 130 px" in out
    assert "0.4 m on the ground" in out
    assert "GTiff, tiles of 64x64, deflate, no overviews" in out


def test_info_tells_a_collar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """How much of the scene it is, what becomes of it, and the way to keep it; a mask has none."""
    pixels = np.random.default_rng(0).integers(20, 200, (3, 200, 250)).astype("uint8")
    pixels[:, :24] = 0
    path = write_raster(tmp_path / "scene.tif", pixels)

    assert geoseg("info", path) == 0
    told = capsys.readouterr()
    assert (
        "12 % of the scene is uniformly black along its border: taken as no data "
        "(--keep-collar reads it as image)"
    ) in told.err
    assert "valid   88.0 % of the pixels" in told.out
    assert geoseg("info", path, "--keep-collar") == 0
    told = capsys.readouterr()
    assert "black" not in told.err
    assert "valid   100.0 % of the pixels" in told.out
    mask = write_raster(tmp_path / "mask.tif", (pixels[:1] > 100) * np.uint8(255))
    assert geoseg("info", mask) == 0
    assert "black" not in capsys.readouterr().err


def test_info_without_crs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be known is said."""
    path = write_scene(tmp_path / "plain.tif", (40, 40), crs=None)

    assert geoseg("info", path) == 0
    told = capsys.readouterr()
    assert "unknown (no CRS)" in told.out
    assert "counted in pixels" in told.err
    assert "suits" not in told.out


def test_info_with_a_crs_that_does_not_fit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A CRS is there, but its rows are no degrees."""
    path = write_scene(tmp_path / "odd.tif", (400, 40), crs="EPSG:4326", transform=Affine(1, 0, 0, 0, 1, 0))

    assert geoseg("info", path) == 0
    out = capsys.readouterr().out
    assert "EPSG:4326" in out
    assert "unknown (its CRS has no place on Earth)" in out


def test_tile_and_mosaic_give_the_scene_back(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bit for bit, in its place."""
    assert geoseg("tile", scene, "-o", "tiles", "--patch", "64x48", "--overlap", "8x0", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["patches"] == len(list(Path("tiles").glob("*.tif")))
    assert geoseg("mosaic", "tiles", "-o", "back.tif") == 0

    with rasterio.open(scene) as expected, rasterio.open("back.tif") as back:
        assert (back.transform, back.crs) == (expected.transform, expected.crs)
        np.testing.assert_array_equal(back.read(), expected.read())


def test_tile_refuses_what_is_there(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A second run needs ``--overwrite``."""
    assert geoseg("tile", scene, "-o", "tiles", "--patch", "64") == 0
    assert geoseg("tile", scene, "-o", "tiles", "--patch", "64") == 1
    assert geoseg("tile", scene, "-o", "tiles", "--patch", "64", "--overwrite") == 0
    assert "--overwrite" in capsys.readouterr().err


def test_preview_of_a_scene_alone(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without results the scene is drawn, and that is said."""
    assert geoseg("preview", scene, "--size", "256") == 0

    assert "no results" in capsys.readouterr().err
    with Image.open("scene_preview.png") as picture:
        assert picture.width == 256
        assert picture.height >= round(96 / 130 * 256)


def test_preview_of_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network would be shown of a data set; of a scene there is no such thing."""
    monkeypatch.chdir(tmp_path)
    write_set(tmp_path / "set", objects=True)

    assert geoseg("preview", "set", "--augmented", "--count", "3") == 0
    with Image.open("set_preview.png") as picture:
        assert picture.width > 3 * 64
    assert geoseg("preview", "set", "--augmented", "-o", "page.html") == 1
    assert not Path("page.html").exists()


def test_preview_refuses_to_overwrite(scene: Path) -> None:
    """As every command does."""
    assert geoseg("preview", scene, "--size", "64") == 0
    before = Path("scene_preview.png").read_bytes()

    assert geoseg("preview", scene, "--size", "128") == 1
    assert Path("scene_preview.png").read_bytes() == before
    assert geoseg("preview", "scene_preview.png", "-o", "scene_preview.png", "--overwrite") == 1
    assert Path("scene_preview.png").read_bytes() == before


def test_preview_outside_the_scene(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A box elsewhere is one clear line."""
    assert geoseg("preview", scene, "--bbox", "0,0,10,10") == 1
    assert "lies outside the scene" in capsys.readouterr().err


def test_preview_of_another_scenes_mask(
    tmp_path: Path, scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mask of another size is refused."""
    mask = write_scene(tmp_path / "mask.tif", (50, 50), bands=1)

    assert geoseg("preview", scene, "--mask", mask) == 1
    assert "does not lie on the grid" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["info", "tile", "preview", "infer"])
def test_text_named_tif(tmp_path: Path, command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, 1, and nothing is written."""
    path = tmp_path / "text.tif"
    path.write_text("this is no raster\n" * 10)
    words = ["-o", "out"] if command in ("tile", "infer") else []

    assert geoseg(command, path, *words) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert not list(tmp_path.rglob("*text_*"))
