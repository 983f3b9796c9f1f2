"""A band flagged as alpha is a mask only if it behaves as one; a band that is read as a colour never is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rasterio.shutil
from numpy.typing import NDArray
from rasterio.enums import ColorInterp

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.core import Window
from geoseg.raster import open_scene
from geoseg.raster.alpha import behaves_as_mask
from tests.raster.reading import write_raster
from tests.support import make_test_bundle

SIDE = 64
WATER = SIDE // 4
"""Rows in which near infrared is 0."""
FLAGS = ("red", "green", "blue", "alpha")


def near_infrared(seed: int = 0) -> NDArray[np.uint8]:
    """Many values, and 0 over water: (SIDE, SIDE)."""
    values = np.random.default_rng(seed).integers(5, 250, (SIDE, SIDE), np.uint8)
    values[:WATER] = 0
    return values


def naip(path: Path, names: tuple[str, ...] = (), fourth: NDArray[np.uint8] | None = None) -> Path:
    """Four 8-bit bands, the last one flagged as alpha, as GDAL does by default."""
    colours = np.random.default_rng(1).integers(0, 256, (3, SIDE, SIDE), np.uint8)
    pixels = np.concatenate([colours, (near_infrared() if fourth is None else fourth)[None]])
    write_raster(path, pixels, photometric="RGB", alpha="YES")
    with rasterio.open(path, "r+") as file:
        file.colorinterp = [ColorInterp[name] for name in FLAGS]
        for band, name in enumerate(names, 1):
            file.set_band_description(band, name)
    return path


def read_valid(path: Path, bands: tuple[int, ...] = (1, 2, 3), **choice: str) -> NDArray[np.bool_]:
    """Where a scene is valid."""
    with open_scene(path, **choice) as scene:
        return np.asarray(scene.read(Window(0, 0, SIDE, SIDE), bands)[1])


def soft(edge: int) -> NDArray[np.uint8]:
    """A mask whose right half is valid, with an edge of so many columns in between."""
    columns = np.clip((np.arange(SIDE) - SIDE // 2 + 1) * 255 // (edge + 1), 0, 255)
    return np.broadcast_to(columns.astype(np.uint8), (SIDE, SIDE)).copy()


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (soft(0), True),
        (soft(5), True),
        (soft(20), False),
        (np.zeros(9, np.uint8), True),
        (np.full(9, 128, np.uint8), True),
        (np.array([0, 1, 1, 1], np.uint16), True),
        (np.array([0, 1, 2, 253, 254, 255], np.uint8), True),
        (np.array([0, 0, np.nan, 1, 1], np.float32), True),
        (near_infrared(), False),
        (np.where(near_infrared() > 240, 90, 0), True),
        (np.r_[np.zeros(1000), 30, 60, 90, 120], False),
    ],
)
def test_a_mask_has_hardly_more_than_two_values(values: NDArray[Any], expected: bool) -> None:
    """0 and one largest value; softened edges and lossy compression are no reason against it."""
    assert behaves_as_mask(values) == expected


def test_near_infrared_is_no_mask(tmp_path: Path) -> None:
    """Red, green and blue are valid everywhere, and what a mask would have left out is named."""
    path = naip(tmp_path / "naip.tif")
    with open_scene(path) as scene:
        assert scene.warnings == [
            "naip.tif: band 4 is flagged as alpha but holds many values (0 to 249): taken as a band of the "
            "picture; as a mask it would leave out 25 % of the pixels (--alpha mask does so)"
        ]
        assert [band.colour for band in scene.info.bands] == ["red", "green", "blue", "undefined"]
    assert read_valid(path).all()


def test_the_choice_is_obeyed(tmp_path: Path) -> None:
    """As a mask, 0 is not valid; as a band, a true mask is none; neither needs a word."""
    path, water = naip(tmp_path / "naip.tif"), near_infrared() == 0
    np.testing.assert_array_equal(read_valid(path, alpha="mask"), ~water)
    true = naip(tmp_path / "true.tif", fourth=soft(3))
    np.testing.assert_array_equal(read_valid(true), soft(3) > 0)
    assert read_valid(true, alpha="band").all()
    for choice in ("mask", "band"):
        with open_scene(path, alpha=choice) as scene:
            assert scene.warnings == []


def test_a_band_called_blue_is_no_mask(tmp_path: Path) -> None:
    """Whatever its values: its name says what it is."""
    path = naip(tmp_path / "named.tif", ("NIR", "Red", "Green", "Blue"), soft(0))
    assert read_valid(path, (2, 3, 4)).all()
    assert read_valid(path, (1, 2, 3)).all()
    with open_scene(path) as scene:
        assert scene.warnings == []


def test_a_band_that_is_read_is_no_mask(tmp_path: Path) -> None:
    """``--bands 4,1,2`` reads the mask's values; with all bands of the file asked for, it is a mask still."""
    path = naip(tmp_path / "s.tif", fourth=soft(0))
    assert read_valid(path, (4, 1, 2)).all()
    np.testing.assert_array_equal(read_valid(path, ()), soft(0) > 0)


@pytest.mark.parametrize("flagged", [True, False])
def test_files_of_a_mosaic_are_taken_alike(tmp_path: Path, flagged: bool) -> None:
    """A file of water alone would be a mask by itself; the other one decides for both."""
    naip(tmp_path / "a.tif")
    naip(tmp_path / "b.tif", fourth=np.zeros((SIDE, SIDE), np.uint8))
    sources = [(name, row) for name, row in (("a.tif", 0), ("b.tif", SIDE))]
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{band}">'
        f"<ColorInterp>{FLAGS[band - 1].title()}</ColorInterp>"
        + "".join(
            f'<SimpleSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
            f"<SourceBand>{band}</SourceBand>"
            f'<SrcRect xOff="0" yOff="0" xSize="{SIDE}" ySize="{SIDE}"/>'
            f'<DstRect xOff="0" yOff="{row}" xSize="{SIDE}" ySize="{SIDE}"/></SimpleSource>'
            for name, row in sources
        )
        + "</VRTRasterBand>"
        for band in range(1, 5 if flagged else 4)
    )
    path = tmp_path / "both.vrt"
    path.write_text(f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{2 * SIDE}">{bands}</VRTDataset>')
    with open_scene(path) as scene:
        _, valid = scene.read(Window(0, 0, 2 * SIDE, SIDE), (1, 2, 3))
        notes = [text for text in scene.warnings if "--alpha" in text]
    assert valid.all()
    assert len(notes) == 1
    with open_scene(path, alpha="mask") as scene:
        _, valid = scene.read(Window(0, 0, 2 * SIDE, SIDE), (1, 2, 3))
    np.testing.assert_array_equal(valid, np.r_[near_infrared() > 0, np.zeros((SIDE, SIDE), np.bool_)])


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def test_commands_say_what_they_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """``info``, ``infer``, ``tile`` and ``preview`` say it in one line each, and obey ``--alpha``."""
    monkeypatch.chdir(tmp_path)
    naip(tmp_path / "naip.tif")
    bundle = make_test_bundle(tmp_path / "small")
    network = ("--bundle", bundle, "--runtime", "torch", "--format", "none")
    said = "as a mask it would leave out 25 % of the pixels (--alpha mask does so)"
    for words, forced in (
        (("info", "naip.tif"), ("info", "naip.tif", "--alpha", "mask")),
        (
            ("infer", "naip.tif", "-o", "a", *network),
            ("infer", "naip.tif", "-o", "b", "--alpha", "mask", *network),
        ),
        (
            ("tile", "naip.tif", "-o", "tiles", "--patch", "64"),
            ("tile", "naip.tif", "-o", "masked", "--patch", "64", "--alpha", "mask"),
        ),
        (
            ("preview", "naip.tif", "-o", "a.png"),
            ("preview", "naip.tif", "-o", "b.png", "--alpha", "mask"),
        ),
    ):
        assert geoseg(*words) == 0
        assert capsys.readouterr().err.count(said) == 1
        assert geoseg(*forced) == 0
        assert said not in capsys.readouterr().err
    for folder, expected in (("a", 0), ("b", WATER * SIDE)):
        with rasterio.open(tmp_path / folder / "naip_mask.tif") as mask:
            assert np.count_nonzero(mask.read(1) == 255) == expected
        record = json.loads((tmp_path / folder / "naip_run.json").read_text())
        assert record["spec"]["plan"]["alpha"] == {"a": "band", "b": "mask"}[folder]


def test_a_data_set_takes_all_images_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image of water alone has no near infrared, which is no reason to leave it out."""
    from geoseg.dataset.store import open_dataset, read_image

    monkeypatch.chdir(tmp_path)
    for folder in ("images", "masks"):
        Path("labelled", folder).mkdir(parents=True)
    naip(Path("labelled/images/land.tif"))
    naip(Path("labelled/images/lake.tif"), fourth=np.zeros((SIDE, SIDE), np.uint8))
    for name in ("land", "lake"):
        write_raster(Path(f"labelled/masks/{name}.tif"), np.eye(SIDE, dtype=np.uint8)[None])
    assert geoseg("prepare", "folders", "labelled", "-o", "set") == 0
    assert capsys.readouterr().err.count("decided for all 2 images") == 1
    dataset = open_dataset(Path("set"))
    assert dataset.bands == ("band 1", "band 2", "band 3", "band 4")
    assert all(read_image(item).valid.all() for item in dataset.items)
    assert dataset.totals()["ignored_pixels"] == 0

    assert geoseg("prepare", "folders", "labelled", "-o", "masked", "--alpha", "mask") == 0
    dataset = open_dataset(Path("masked"))
    assert dataset.bands == ("red", "green", "blue")
    assert dataset.totals()["ignored_pixels"] == WATER * SIDE + SIDE * SIDE
    np.testing.assert_array_equal(read_image(dataset["land"]).valid, near_infrared() > 0)
