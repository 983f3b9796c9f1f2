"""``geoseg evaluate``: what it prints and refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.evaluate import pixel_metrics
from geoseg.evaluate import run as run_module
from geoseg.evaluate.blocks import bootstrap
from tests.evaluate.files import box_px, random_mask, write_outlines, write_raster


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results land in a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def test_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    """Scores of each class; what is taken for what goes to stderr; nothing is written."""
    write_raster(Path("guess.tif"), random_mask(1, (40, 40)))
    write_raster(Path("truth.tif"), random_mask(2, (40, 40)))
    before = sorted(Path().iterdir())

    assert geoseg("evaluate", "guess.tif", "truth.tif") == 0
    told = capsys.readouterr()
    assert "boundary IoU" in told.out
    assert "1 = class 1" in told.err
    assert sorted(Path().iterdir()) == before

    assert geoseg("evaluate", "guess.tif", "truth.tif", "-o", "out") == 0
    written = json.loads(Path("out/evaluation.json").read_text())
    assert written["total"]["pixels"]["pixels"] == 1600
    assert geoseg("evaluate", "guess.tif", "truth.tif", "-o", "out") == 1
    assert "--overwrite" in capsys.readouterr().err


def test_json_for_machines(capsys: pytest.CaptureFixture[str]) -> None:
    """One document; figures without a value are null."""
    write_raster(Path("guess.tif"), np.zeros((40, 40), np.uint8))
    write_raster(Path("truth.tif"), np.zeros((40, 40), np.uint8))

    assert geoseg("evaluate", "guess.tif", "truth.tif", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["total"]["pixels"]["accuracy"] == 1
    assert told["total"]["pixels"]["pooled"]["classes"]["class 1"]["iou"] is None
    assert told["scenes"][0]["name"] == "guess"


def test_a_box_limits_it(capsys: pytest.CaptureFixture[str]) -> None:
    """In the CRS of the grid; ``--aoi`` does the same in any CRS."""
    write_raster(Path("guess.tif"), random_mask(1, (40, 40)))
    write_raster(Path("truth.tif"), random_mask(2, (40, 40)))
    area = box_px(0, 0, 10, 20)
    write_outlines(Path("area.geojson"), [area])
    box = ",".join(map(str, area.bounds))

    totals = []
    for limit in (("--bbox", box), ("--aoi", "area.geojson")):
        assert geoseg("evaluate", "guess.tif", "truth.tif", "--json", *limit) == 0
        totals.append(json.loads(capsys.readouterr().out)["total"]["pixels"]["pixels"])
    assert totals == [200, 200]
    assert geoseg("evaluate", "guess.tif", "truth.tif", "--bbox", "0,0,1,1") == 1
    assert "lies outside" in capsys.readouterr().err


def test_two_folders(capsys: pytest.CaptureFixture[str]) -> None:
    """Paired by names; their pixels are one."""
    for folder in ("guess", "truth"):
        Path(folder).mkdir()
    for i in range(3):
        write_raster(Path(f"guess/tile{i}_mask.tif"), random_mask(i, (20, 30)))
        write_raster(Path(f"truth/tile{i}.tif"), random_mask(i + 5, (20, 30)) * 255)

    assert geoseg("evaluate", "guess", "truth", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert [scene["name"] for scene in told["scenes"]] == ["tile0", "tile1", "tile2"]
    assert told["total"]["pixels"]["pixels"] == 1800
    counts = np.sum([scene["pixels"]["confusion"]["counts"] for scene in told["scenes"]], axis=0)
    assert counts.tolist() == told["total"]["pixels"]["confusion"]["counts"]

    Path("guess/tile1_mask.tif").unlink()
    assert geoseg("evaluate", "guess", "truth") == 1
    assert "tile1.tif" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("nothing.tif", "truth.tif"), "nothing.tif"),
        (("guess.tif", "nothing.geojson"), "nothing.geojson"),
        (("guess.tif", "broken.geojson"), "not GeoJSON"),
        (
            ("guess.tif", "truth.tif", "--class", "roof", "--value", "1=a", "--value", "2=b"),
            "--class roof",
        ),
        (("folder", "truth.tif"), "neither rasters nor outlines"),
        (("guess.tif", "truth.tif", "--band", "2"), "--band 2"),
    ],
)
def test_bad_input_is_one_line(
    words: tuple[str, ...], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What, where, and exit code 1."""
    write_raster(Path("guess.tif"), random_mask(1, (40, 40)))
    write_raster(Path("truth.tif"), random_mask(2, (40, 40)))
    Path("broken.geojson").write_text('{"type": "FeatureCollection", "features": [{')
    Path("folder").mkdir()

    assert geoseg("evaluate", *words) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert complaint in lines[-1]
    assert "Traceback" not in "".join(lines)
    assert "bug" not in lines[-1]


def test_files_in_the_way_are_refused_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before any scene is compared: the report, the figures, and each scene's maps."""
    write_raster(Path("guess.tif"), random_mask(1, (40, 40)))
    write_raster(Path("truth.tif"), random_mask(2, (40, 40)))
    monkeypatch.setattr(run_module, "evaluate", lambda *_: pytest.fail("it was compared"))
    for name in ("evaluation.json", "evaluation.html", "guess_errors.tif", "guess_errors.gpkg"):
        Path("out").mkdir(exist_ok=True)
        Path("out", name).touch()
        assert geoseg("evaluate", "guess.tif", "truth.tif", "-o", "out") == 1
        assert f"{name} exists" in capsys.readouterr().err
        Path("out", name).unlink()


def test_intervals_are_drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the files and for what is printed: two for each of two classes, of the scene and in total."""
    write_raster(Path("guess.tif"), random_mask(1, (40, 40)))
    write_raster(Path("truth.tif"), random_mask(2, (40, 40)))
    drawn = []

    def counted(*args: Any) -> Any:
        drawn.append(args)
        return bootstrap(*args)

    monkeypatch.setattr(pixel_metrics, "bootstrap", counted)
    assert geoseg("evaluate", "guess.tif", "truth.tif", "-o", "out", "--no-footprints") == 0
    assert len(drawn) == 8
