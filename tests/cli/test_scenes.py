"""Several scenes in one call of ``geoseg infer``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from geoseg.cli.boundary import INTERRUPTED, run
from geoseg.cli.main import cli
from geoseg.cli.scenes import find_scenes
from geoseg.errors import OptionError, SceneError
from tests.scenes import write_scene
from tests.support import make_test_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with random weights."""
    return make_test_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with three scenes, the second of them cut off."""
    monkeypatch.chdir(tmp_path)
    for number in (1, 2, 3):
        path = write_scene(tmp_path / f"{number}.tif", (70, 80), seed=number)
    whole = (tmp_path / "2.tif").read_bytes()
    (tmp_path / "2.tif").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "whole").write_bytes(whole)
    return path.parent


def infer(bundle: Path, *words: str | Path) -> int:
    """Map scenes into ``out``, without polygons."""
    given = (*words, "--bundle", bundle, "--runtime", "torch", "--format", "none", "-o", "out")
    return run(cli, ["infer", *map(str, given)])


def masks() -> list[str]:
    """Names of the scenes that are mapped."""
    return sorted(path.name.removesuffix("_mask.tif") for path in Path("out").glob("*_mask.tif"))


def test_the_others_are_mapped(folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One that fails is named at the end; the same command again does what is missing, and nothing else."""
    assert infer(bundle, "*.tif") == 1
    assert masks() == ["1", "3"]
    err = capsys.readouterr().err.splitlines()
    assert "2.tif" in err[-2]
    assert "1 of 3 scenes was not mapped" in err[-1]
    assert [line.split(",")[0] for line in err if line.startswith("scene")] == [
        "scene 1 of 3",
        "scene 3 of 3",
    ]

    (folder / "2.tif").write_bytes((folder / "whole").read_bytes())
    before = Path("out/1_mask.tif").stat().st_mtime_ns
    assert infer(bundle, "*.tif") == 0
    assert masks() == ["1", "2", "3"]
    assert Path("out/1_mask.tif").stat().st_mtime_ns == before
    err = capsys.readouterr().err
    assert "1.tif: all done by an earlier run" in err
    assert "3.tif: all done by an earlier run" in err


def test_a_scene_that_is_missing(folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told before the others are mapped, and again at the end."""
    assert infer(bundle, "1.tif", "none.tif", "3.tif") == 1
    assert masks() == ["1", "3"]
    err = capsys.readouterr().err.splitlines()
    assert "none.tif: no such file" in err[0]
    assert "none.tif: no such file" in err[-2]


def test_other_options_are_refused(folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is complete under other options is not taken for done, and not replaced."""
    assert infer(bundle, "1.tif", "3.tif") == 0
    assert infer(bundle, "1.tif", "3.tif", "--threshold", "0.9") == 1
    err = capsys.readouterr().err.splitlines()
    assert ["differs in output options" in line for line in err[-3:]] == [True, True, False]
    assert infer(bundle, "1.tif", "3.tif", "--threshold", "0.9", "--overwrite") == 0


def test_json_of_failures(folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line a scene, also of those that failed."""
    assert infer(bundle, "1.tif", "2.tif", "none.tif", "--json") == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {line["scene"]: "error" in line for line in lines} == {
        "1.tif": False,
        "2.tif": True,
        "none.tif": True,
    }


def test_an_interruption_stops_all(
    folder: Path, bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C is meant for the whole list; the same command goes on."""

    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("geoseg.raster.mask.MaskSink.add", interrupt)
        assert infer(bundle, "1.tif", "3.tif") == INTERRUPTED
    assert "the same command goes on from here" in capsys.readouterr().err
    assert masks() == []
    assert infer(bundle, "1.tif", "3.tif") == 0
    assert masks() == ["1", "3"]


def test_results_in_the_folder_are_left_out(
    folder: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pattern in the folder of results fits masks of geoseg, which are no scenes."""
    words = ("--bundle", bundle, "--runtime", "torch", "--format", "none", "--probabilities")
    assert run(cli, ["infer", "1.tif", "3.tif", *map(str, words)]) == 0
    (folder / "2.tif").unlink()
    capsys.readouterr()

    assert run(cli, ["infer", "*.tif", *map(str, words)]) == 0
    err = capsys.readouterr().err
    assert "left out 4 results of geoseg" in err
    assert "1_mask.tif, 1_probabilities.tif, 3_mask.tif, ..." in err
    assert run(cli, ["infer", "1_mask.tif", *map(str, words)]) == 1
    assert "a mask that geoseg made" in capsys.readouterr().err
    with pytest.raises(SceneError, match="only results of geoseg"):
        find_scenes(["*_mask.tif"])


def test_patterns(tmp_path: Path) -> None:
    """Patterns are resolved in order, each file once; names that clash and empty patterns are refused."""
    for name in ("b.tif", "a.tif", "c.jpg", "._a.tif"):  # the last is what a Mac leaves on other disks
        (tmp_path / name).touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "a.png").touch()

    found = find_scenes([str(tmp_path / "c.jpg"), str(tmp_path / "*.tif"), str(tmp_path / "a.tif")])
    assert [path.name for path in found.paths] == ["c.jpg", "a.tif", "b.tif"]
    with pytest.raises(SceneError, match="no file fits"):
        find_scenes([str(tmp_path / "*.jp2")])
    with pytest.raises(SceneError, match="no such file"):
        find_scenes([str(tmp_path / "missing.tif")])
    missing = find_scenes([str(tmp_path / "a.tif"), str(tmp_path / "missing.tif")])
    assert list(missing.failed) == [str(tmp_path / "missing.tif")]
    with pytest.raises(OptionError, match="same files"):
        find_scenes([str(tmp_path / "a.tif"), str(tmp_path / "sub" / "a.png")])


@pytest.mark.parametrize("text", ["a**b/*.tif", "**x.tif"])
def test_odd_patterns_are_resolved_or_one_line(tmp_path: Path, text: str) -> None:
    """Two asterisks beside other letters are no pattern in some versions of Python, and one in others."""
    with pytest.raises(SceneError, match="pattern"):
        find_scenes([str(tmp_path / text)])


def test_a_file_whose_name_looks_like_a_pattern(tmp_path: Path) -> None:
    """A file that is there is meant as it is."""
    path = tmp_path / "a[1].tif"
    path.touch()

    assert find_scenes([str(path)]).paths == [path]
