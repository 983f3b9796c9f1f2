"""Previews of data sets: the right patches, in fair colours, as a sheet or a page."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.core.text import counted
from geoseg.dataset.preview import Patches, PreviewSelection, choose, draw, page, read_shown
from geoseg.dataset.store import open_dataset
from geoseg.errors import InputError


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def write(folder: Path, stem: str, image: np.ndarray, mask: np.ndarray) -> None:
    """An image (bands, height, width) and its mask."""
    for name, array in (("images", image), ("masks", mask[None])):
        (folder / name).mkdir(parents=True, exist_ok=True)
        profile = {"count": len(array), "height": array.shape[1], "width": array.shape[2]}
        with rasterio.open(folder / name / f"{stem}.tif", "w", dtype=array.dtype, **profile) as file:
            file.write(array)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Thirty small images of four bands, uint16 with few of the values used, and one of 1,200 columns."""
    rng = np.random.default_rng(0)
    for n in range(30):
        mask = np.zeros((32, 48), np.uint8)
        mask[:, : n + 1] = 1
        write(tmp_path / "set", f"i{n:02d}", rng.integers(200, 1800, (4, 32, 48)).astype(np.uint16), mask)
    large = np.zeros((600, 1200), np.uint8)
    large[:, 600:] = 1
    write(tmp_path / "set", "large", rng.integers(200, 1800, (4, 600, 1200)).astype(np.uint16), large)
    (tmp_path / "set" / "valid.txt").write_text("i03\n")
    return tmp_path / "set"


def test_one_is_one_patch(folder: Path) -> None:
    """Not ``all 1 patches``."""
    dataset = open_dataset(folder)
    one = Patches(dataset, ((dataset.items[0], None),), 1, PreviewSelection(4))

    assert one.words == "1 patch"
    assert [counted(n, "class") for n in (0, 1, 1200)] == ["0 classes", "1 class", "1,200 classes"]


def test_patches_are_chosen_evenly(folder: Path) -> None:
    """From first to last; a large image counts as the patches it is cut into."""
    dataset = open_dataset(folder)
    every = choose(dataset, PreviewSelection(400))
    some = choose(dataset, PreviewSelection(5))

    assert every.total == len(every) == 30 + 2 * 3
    assert [item.stem for item, _ in some.places] == ["i00", "i09", "i18", "i26", "large"]
    assert some.words == "5 of 36 patches, evenly chosen"


def test_the_worst_come_first(folder: Path) -> None:
    """Those with the most irregular labels; where none were counted, that is said."""
    dataset = open_dataset(folder)
    with pytest.raises(InputError, match="worst"):
        choose(dataset, PreviewSelection(3, worst=True))
    counted = replace(
        dataset, items=tuple(replace(item, irregular=n % 4) for n, item in enumerate(dataset.items[:8]))
    )
    chosen = choose(counted, PreviewSelection(3, worst=True))

    assert [item.stem for item, _ in chosen.places] == ["i03", "i07", "i02"]


def test_values_are_stretched_over_the_image_not_the_patch(folder: Path) -> None:
    """16 bits fill the range of greys, alike in a flat patch and beside it."""
    dataset = open_dataset(folder)
    pixels = np.full((3, 600, 1200), 300, np.uint16)
    pixels[:, :, 600:] = np.random.default_rng(1).integers(200, 1800, (3, 600, 600))
    write(folder, "large", pixels, np.zeros((600, 1200), np.uint8))
    shown = [s for s in read_shown(choose(dataset, PreviewSelection(400)), 256) if s.item.stem == "large"]

    flat, rich = shown[0].pixels, shown[2].pixels
    assert flat.std() < 1
    assert flat.mean() < 60
    assert rich.mean() > 90


def test_bands_can_be_chosen(folder: Path) -> None:
    """Three by number in the order asked for, or one as grey."""
    dataset = open_dataset(folder)
    one = next(read_shown(choose(dataset, PreviewSelection(1, bands=("4",))), 48)).pixels
    three = next(read_shown(choose(dataset, PreviewSelection(1, bands=("4", "2", "1"))), 48)).pixels

    assert (one[..., 0] == one[..., 1]).all()
    np.testing.assert_array_equal(one[..., 0], three[..., 0])
    assert (three[..., 0] != three[..., 1]).any()


def test_sheet_and_page(folder: Path) -> None:
    """Both hold what was chosen; labels go with their pixels."""
    patches = choose(open_dataset(folder), PreviewSelection(4))
    told = []

    assert draw(patches, 900, told.append).width == 900
    assert told == [1] * 4
    text = page(patches).html()
    data = json.loads(text.split('id="slides">')[1].split("</script>")[0])
    assert [slide["name"] for slide in data["slides"]] == ["i00", "i12", "i23", "large 88,688"]
    assert data["slides"][0]["part"] == "train"


def test_the_command_draws_what_the_kind_of_argument_asks_for(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A sheet by default, a page by its suffix; options of scenes are none of data sets."""
    monkeypatch.chdir(tmp_path)
    assert geoseg("preview", folder, "--json") == 0
    assert json.loads(capsys.readouterr().out)["picture"] == "set_preview.png"
    with Image.open("set_preview.png") as sheet:
        assert sheet.width == 1400
    assert geoseg("preview", folder) == 1
    assert geoseg("preview", folder, "-o", "set.html", "--count", "3", "--bands", "3,2,1") == 0
    assert Path("set.html").stat().st_size < 400_000
    assert geoseg("preview", folder, "-o", "x.png", "--mask", "a.tif") == 2
    assert geoseg("preview", folder / "images" / "large.tif", "-o", "x.png", "--worst") == 2
    assert geoseg("preview", folder, "-o", "x.png", "--bands", "1,2") == 1
    assert geoseg("preview", folder, "-o", "x.png", "--bands", "9") == 1
    assert geoseg("preview", folder, "-o", "x.doc") == 1
    assert geoseg("preview", folder / "images" / "large.tif", "-o", "x.png", "--bands", "4") == 0


def test_real_sets_are_drawn(data_dir: Path) -> None:
    """Rio as it is: two plain folders."""
    patches = choose(open_dataset(data_dir / "rio"), PreviewSelection(6))

    assert draw(patches, 1400).width == 1400
