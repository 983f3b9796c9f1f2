"""Whole splits: the default is what an expert would choose, the lists are whole, leaks are told."""

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
from geoseg.core.files import PendingFile
from geoseg.dataset.split import lists
from geoseg.dataset.split.job import Split, check_split, gather, split_dataset
from geoseg.dataset.split.options import Shares, SplitOptions
from geoseg.dataset.store import open_dataset
from geoseg.errors import InputError, OptionError, OutputError

SIDE = 48


def pixels(seed: int, side: int = SIDE) -> np.ndarray:
    """A soft picture."""
    small = np.random.default_rng(seed).integers(0, 256, (7, 7, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((side, side), Image.Resampling.BICUBIC))


def save(folder: Path, stem: str, image: np.ndarray, half: bool = True) -> None:
    """An image and a mask whose left half is class 1."""
    mask = np.zeros(image.shape[:2], np.uint8)
    mask[:, : image.shape[1] // 2] = half
    for name, array in (("images", image), ("masks", mask)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / name / f"{stem}.png")


def save_placed(folder: Path, stem: str, row: int, col: int, seed: int) -> None:
    """A patch of a scene of 0.5 m in UTM."""
    transform = Affine(0.5, 0, 500_000 + col * 0.5, 0, -0.5, 5_500_000 - row * 0.5)
    profile = {"driver": "GTiff", "height": SIDE, "width": SIDE, "dtype": "uint8", "transform": transform}
    for name, array in (
        ("images", pixels(seed).transpose(2, 0, 1)),
        ("masks", (pixels(seed)[None, ..., 0] > 90).astype(np.uint8)),
    ):
        (folder / name).mkdir(parents=True, exist_ok=True)
        with rasterio.open(
            folder / name / f"{stem}.tif", "w", count=len(array), crs="EPSG:32633", **profile
        ) as file:
            file.write(array)


@pytest.fixture
def patches(tmp_path: Path) -> Path:
    """A scene cut into 8x8 patches."""
    for n, (row, col) in enumerate(np.ndindex(8, 8)):
        save_placed(tmp_path / "set", f"p{n:03d}x", row * SIDE, col * SIDE, n)
    return tmp_path / "set"


def split(folder: Path, options: SplitOptions | None = None, listed: tuple[str, ...] = ()) -> Split:
    """Split a folder."""
    dataset = open_dataset(folder)
    return split_dataset(dataset, gather(dataset), options or SplitOptions(), listed)


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def test_georeferenced_patches_are_split_into_blocks(patches: Path) -> None:
    """Half a patch apart and more, so one row of patches lies between; shares within a patch."""
    found = split(patches)

    assert found.by == "blocks"
    assert found.buffer == pytest.approx({"m": 12}, rel=1e-2)
    (leak,) = found.leaks
    assert leak.distance == pytest.approx(SIDE * 0.5, rel=1e-2)
    assert leak.unit == "m"
    assert leak.is_clean
    used = len(found.stems["train"]) + len(found.stems["valid"])
    assert abs(len(found.stems["valid"]) - 0.2 * used) <= 1
    assert used + len(found.left_out) == 64
    assert found.remarks == ()


def test_a_buffer_in_metres(patches: Path) -> None:
    """Asked for, it is kept, and what it costs is said."""
    found = split(patches, SplitOptions(buffer=70))

    assert found.leaks[0].distance >= 70
    assert any("left out" in words for words in found.remarks)


def test_a_test_part(patches: Path) -> None:
    """Three parts, three pairs without a leak."""
    found = split(patches, SplitOptions(shares=Shares(0.15, 0.15)))

    assert all(found.stems.values())
    assert [leak.parts for leak in found.leaks] == [("train", "valid"), ("train", "test"), ("valid", "test")]
    assert all(leak.is_clean and leak.distance >= 12 for leak in found.leaks)


def test_sequences_stay_whole(tmp_path: Path) -> None:
    """Names like those of frames: each sequence on one side, said where shares cannot be met."""
    for sequence in range(4):
        for frame in range(8):
            save(tmp_path / "s", f"drive{sequence}x_{frame:04d}", pixels(sequence * 10 + frame))
    found = split(tmp_path / "s")

    assert found.by == "sequences"
    assert len({stem[:6] for stem in found.stems["valid"]}) == 1
    assert any("25.0%" in words for words in found.remarks)


def test_by_pattern(tmp_path: Path) -> None:
    """Sequences where the user finds them in names."""
    for n in range(12):
        save(tmp_path / "s", f"{n}-{'abcd'[n % 4]}-x", pixels(n))
    found = split(tmp_path / "s", SplitOptions(pattern="-(.)-"))

    assert len({stem.split("-")[1] for stem in found.stems["valid"]}) == 1


def test_copies_are_never_parted(tmp_path: Path) -> None:
    """A chip that is there twice is not trained on where it judges."""
    for n in range(20):
        save(tmp_path / "s", f"chip{'abcdefghij'[n // 2]}{'xy'[n % 2]}", pixels(n // 2))
    found = split(tmp_path / "s")

    assert found.by == "scenes"
    assert found.leaks[0].identical == 0
    assert found.left_out
    assert "nothing tells which images are neighbours" in found.remarks[0]


def test_random_only_when_asked_and_not_without_a_word(patches: Path) -> None:
    """Patches that overlap lie on both sides: counted, and said."""
    for n, col in enumerate(range(0, 300, SIDE // 2)):
        save_placed(patches, f"q{n}x", 0, col, 100 + n)
    found = split(patches, SplitOptions(by="random"))

    assert found.leaks[0].shared_pixels > 0
    assert any("overlap" in words for words in found.remarks)


def test_a_given_list(tmp_path: Path) -> None:
    """Those listed judge, all others train; what leaks is told and left."""
    for n in range(6):
        save(tmp_path / "s", f"chip{'abcdef'[n]}", pixels(n % 5))
    found = split(tmp_path / "s", SplitOptions(valid_list=Path("any")), ("chipa", "chipb"))

    assert found.stems["valid"] == ("chipa", "chipb")
    assert found.stems["train"] == ("chipc", "chipd", "chipe", "chipf")
    assert found.leaks[0].identical == 1
    assert any("chipf and chipa" in words for words in found.remarks)


def test_a_class_that_is_missing_is_said(tmp_path: Path) -> None:
    """Only one image has it."""
    for n in range(10):
        save(tmp_path / "s", f"chip{'abcdefghij'[n]}", pixels(n), half=n == 0)

    assert any("no pixel of" in words for words in split(tmp_path / "s").remarks)


@pytest.fixture
def alike(tmp_path: Path) -> Path:
    """Twelve frames of three sequences that all look the same."""
    for n in range(12):
        save(tmp_path / "s", f"{'abc'[n % 3]}_{n}", pixels(0))
    return tmp_path / "s"


def test_nothing_left_to_train_on_is_refused(alike: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All are left out as they look like those held out; lists that are there stay as they are."""
    (alike / "train.txt").write_text("a_0\n")
    assert geoseg("split", alike, "--overwrite", "--pattern", "^(.)_") == 1

    assert "no image is left for train; 8 of 12" in capsys.readouterr().err
    assert (alike / "train.txt").read_text() == "a_0\n"
    assert not (alike / "valid.txt").exists()


def test_nothing_left_to_test_on_is_refused(alike: Path) -> None:
    """Training has one of its own, and all of the test looks like validation."""
    for n in range(30):
        save(alike, f"d_{n}", pixels(n + 1))
    with pytest.raises(InputError, match="no image is left for test"):
        split(alike, SplitOptions(pattern="^(.)_", shares=Shares(0.1, 0.1)))


def test_a_list_of_all_is_refused(patches: Path) -> None:
    """With or without a buffer, something has to train."""
    stems = tuple(item.stem for item in open_dataset(patches).items)
    with pytest.raises(InputError, match=r"no image is left for train; 0 of 64.*list fewer"):
        split(patches, SplitOptions(valid_list=Path("any")), stems)
    with pytest.raises(InputError, match=r"no image is left for train; 63 of 64"):
        split(patches, SplitOptions(valid_list=Path("any"), buffer=500), stems[:1])


def test_one_scene_cannot_be_split(tmp_path: Path) -> None:
    """Said with the remedy."""
    save(tmp_path / "s", "scene", pixels(0))
    with pytest.raises(InputError, match="tile --labels"):
        split(tmp_path / "s")


def test_neighbours_alone_cannot_be_split(tmp_path: Path) -> None:
    """All within the buffer of each other."""
    for n in range(3):
        save_placed(tmp_path / "s", f"p{n}x", 0, n * SIDE, n)
    with pytest.raises(InputError, match="buffer"):
        split(tmp_path / "s", SplitOptions(buffer=500))


@pytest.mark.parametrize(
    "wrong",
    [
        {"by": "luck"},
        {"buffer": -1.0},
        {"buffer": float("nan")},
        {"by": "random", "pattern": "(a)"},
        {"by": "blocks", "valid_list": Path("a")},
        {"shares": Shares(0.2, 0.1), "valid_list": Path("a")},
    ],
)
def test_options_that_make_no_sense(wrong: dict) -> None:
    """Refused at once."""
    with pytest.raises(OptionError):
        SplitOptions(**wrong)


def test_the_command_writes_lists_that_the_data_set_reads(
    patches: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """train.txt and valid.txt, no test.txt; the same seed gives the same lists."""
    assert geoseg("split", patches, "--json") == 0
    told = json.loads(capsys.readouterr().out)

    dataset = open_dataset(patches)
    assert len(dataset.splits["valid"]) == told["images"]["valid"]
    assert not (patches / "test.txt").exists()
    assert json.loads((patches / "split.json").read_text())["fingerprint"] == dataset.fingerprint
    before = (patches / "valid.txt").read_bytes()
    assert geoseg("split", patches, "--overwrite") == 0
    assert (patches / "valid.txt").read_bytes() == before
    assert "train and valid" in capsys.readouterr().out


def test_lists_are_not_replaced_unasked(patches: Path) -> None:
    """Nor is a test list of an earlier split left behind when they are."""
    assert geoseg("split", patches, "--test", "0.1") == 0
    assert (patches / "test.txt").exists()
    assert geoseg("split", patches) == 1
    assert geoseg("split", patches, "--overwrite") == 0
    assert not (patches / "test.txt").exists()
    assert sorted(p.name for p in patches.iterdir() if p.is_file()) == [
        "split.json",
        "train.txt",
        "valid.txt",
    ]


def test_checking_writes_nothing(patches: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Lists that someone else made are looked at as they are."""
    assert geoseg("split", patches, "--check") == 1
    (patches / "valid.txt").write_text("p000x\np001x.tif\n")
    capsys.readouterr()
    assert geoseg("split", patches, "--check", "--json") == 0

    told = json.loads(capsys.readouterr().out)
    assert told["images"] == {"train": 62, "valid": 2, "test": 0}
    assert told["leaks"][0]["distance"] == pytest.approx(0, abs=0.01)
    assert [p.name for p in patches.iterdir() if p.is_file()] == ["valid.txt"]


def test_the_list_given_may_be_the_data_sets_own(patches: Path) -> None:
    """It stays as it is; only the other list is written."""
    (patches / "valid.txt").write_text("p000x.tif\n")
    assert geoseg("split", patches, "--valid-list", patches / "valid.txt") == 0

    assert (patches / "valid.txt").read_text() == "p000x.tif\n"
    assert len(open_dataset(patches).splits["train"]) == 63


def test_lists_are_whole_or_not_there(patches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that fills up with the last file leaves the old lists."""
    assert geoseg("split", patches) == 0
    before = {p.name: p.read_bytes() for p in patches.iterdir() if p.is_file()}
    found = split(patches, SplitOptions(seed=5))

    class Full(PendingFile):
        """No room for the record."""

        def __init__(self, target: Path, overwrite: bool = False) -> None:
            super().__init__(target, overwrite)
            if target.name == "split.json":
                self.temp = Path("/dev/full")

    monkeypatch.setattr(lists, "PendingFile", Full)
    with pytest.raises(OutputError):
        lists.write_lists(patches, found, {})
    assert {p.name: p.read_bytes() for p in patches.iterdir() if p.is_file()} == before


def test_killed_between_two_names(patches: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lists of two splits never lie side by side."""
    assert geoseg("split", patches, "--test", "0.2") == 0
    found = split(patches, SplitOptions(seed=5))

    class Killed(PendingFile):
        """Dies when validation gets its name."""

        def commit(self) -> None:
            if self.target.name == "valid.txt":
                raise KeyboardInterrupt
            super().commit()

    monkeypatch.setattr(lists, "PendingFile", Killed)
    with pytest.raises(KeyboardInterrupt):
        lists.write_lists(patches, found, {})
    assert {p.name for p in patches.iterdir() if p.is_file()} == {"train.txt"}
    assert open_dataset(patches).splits["train"] == found.stems["train"]


def test_a_list_given_under_another_name_of_the_data_set(patches: Path) -> None:
    """It is in the way: what validates would train or test too."""
    (patches / "test.txt").write_text("p000x\n")
    assert geoseg("split", patches, "--valid-list", patches / "test.txt") == 1
    assert geoseg("split", patches, "--valid-list", patches / "test.txt", "--overwrite") == 0

    assert open_dataset(patches).splits["valid"] == ("p000x",)
    assert not (patches / "test.txt").exists()


def test_a_seed_below_zero_is_refused(patches: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one line, as a wrong option."""
    assert geoseg("split", patches, "--seed", "-1") == 2
    assert "Traceback" not in capsys.readouterr().err


def test_camvid_is_split_by_sequence(data_dir: Path) -> None:
    """Three sequences; one is held out, and no frame has a near copy on the other side."""
    dataset = open_dataset(data_dir / "camvid")
    facts = gather(dataset)
    found = split_dataset(dataset, facts, SplitOptions())

    assert found.by == "sequences"
    assert {stem.split("_")[0] for stem in found.stems["valid"]} == {"0006R0"}
    assert found.leaks[0].is_clean
    assert check_split(dataset, facts).leaks[0].is_clean
    assert not split_dataset(dataset, facts, SplitOptions(by="random")).leaks[0].is_clean


def test_rio_is_split_into_blocks(data_dir: Path) -> None:
    """Georeferenced in degrees; distances are metres."""
    dataset = open_dataset(data_dir / "rio")
    found = split_dataset(dataset, gather(dataset), SplitOptions())

    assert found.by == "blocks"
    assert found.leaks[0].distance > found.buffer["m"] > 90
