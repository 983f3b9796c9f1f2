"""``geoseg infer`` and ``geoseg model`` with a small bundle."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geoseg.cli.boundary import run
from geoseg.cli.infer import Announcer, box_text, summary_text
from geoseg.cli.main import cli
from geoseg.core import SegmentOptions
from geoseg.model.bundle import load_bundle
from geoseg.pipeline.segment import plan_segment
from geoseg.raster import open_scene
from tests.scenes import write_scene
from tests.support import SMALL_ENCODER, make_test_bundle


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with random weights."""
    return make_test_bundle(tmp_path_factory.mktemp("bundles") / "small")


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small scene, in the current folder."""
    monkeypatch.chdir(tmp_path)
    return write_scene(tmp_path / "scene.tif", (96, 130))


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def test_results_are_named(scene: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files are on stdout, the device and progress on stderr."""
    assert (
        geoseg("infer", scene, "--runtime", "torch", "--bundle", bundle, "-o", "out", "--probabilities") == 0
    )

    captured = capsys.readouterr()
    names = sorted(path.name for path in Path("out").iterdir())
    assert {
        "scene_mask.tif",
        "scene_polygons.geojson",
        "scene_polygons.gpkg",
        "scene_probabilities.tif",
        "scene_run.json",
    } <= set(names)
    assert [name for name in names if name not in captured.out] == []
    assert "device: cpu" in captured.err
    assert not [name for name in names if name.startswith(".")]


def test_json_for_machines(scene: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One object a scene, on one line each."""
    other = write_scene(scene.with_name("other.tif"), (70, 70), seed=1)
    assert (
        geoseg(
            "infer",
            scene,
            other,
            "--runtime",
            "torch",
            "--bundle",
            bundle,
            "-o",
            "out",
            "--format",
            "none",
            "--json",
        )
        == 0
    )

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [Path(line["scene"]).name for line in lines] == ["scene.tif", "other.tif"]
    assert [{o["kind"] for o in line["outputs"]} for line in lines] == [{"mask", "style"}] * 2
    assert all(Path(o["path"]).is_file() for line in lines for o in line["outputs"])


def test_box_limits_the_output(scene: Path, bundle: Path) -> None:
    """Pixels outside are nodata, and those inside are as without a box."""
    with rasterio.open(scene) as dataset:
        left, top = dataset.transform @ (32, 20)
        right, bottom = dataset.transform @ (80, 60)
    words = ("--runtime", "torch", "--bundle", bundle, "--format", "none")
    assert geoseg("infer", scene, *words, "-o", "all") == 0
    assert (
        geoseg("infer", scene, *words, "-o", "part", "--full-extent", f"--bbox={left},{bottom},{right},{top}")
        == 0
    )

    with rasterio.open("all/scene_mask.tif") as everything, rasterio.open("part/scene_mask.tif") as part:
        expected = np.full(part.shape, 255, np.uint8)
        expected[20:60, 32:80] = everything.read(1)[20:60, 32:80]
        np.testing.assert_array_equal(part.read(1), expected)


def test_area_file_in_another_crs(scene: Path, bundle: Path) -> None:
    """An area drawn in degrees is found in a scene in metres."""
    geopandas = pytest.importorskip("geopandas")
    shapely = pytest.importorskip("shapely")
    with rasterio.open(scene) as dataset:
        left, top = dataset.transform @ (32, 20)
        right, bottom = dataset.transform @ (80, 60)
        frame = geopandas.GeoDataFrame(
            geometry=[shapely.box(left, bottom, right, top)], crs=dataset.crs.to_wkt()
        )
    frame.to_crs(4326).to_file("aoi.geojson")

    assert (
        geoseg(
            "infer",
            scene,
            "--runtime",
            "torch",
            "--bundle",
            bundle,
            "--format",
            "none",
            "-o",
            "part",
            "--full-extent",
            "--aoi",
            "aoi.geojson",
        )
        == 0
    )
    with rasterio.open("part/scene_mask.tif") as part:
        inside = part.read(1) != 255
    assert inside.sum() == pytest.approx(40 * 48, rel=0.02)
    assert inside[22:58, 34:78].all()


def test_only_the_part_around_a_small_area_is_mapped(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It lies on the scene's grid, and holds what a run over the whole scene gives, to the last score."""
    scene = write_scene(tmp_path / "wide.tif", (260, 350))
    with rasterio.open(scene) as dataset:
        left, top = dataset.transform @ (270, 100)
        right, bottom = dataset.transform @ (300, 130)
    box = f"--bbox={left},{bottom},{right},{top}"
    words = ("infer", scene, "--runtime", "torch", "--bundle", bundle, "--format", "none", "--probabilities")
    assert geoseg(*words, "-o", tmp_path / "full", "--full-extent", box) == 0
    assert "--full-extent" not in capsys.readouterr().err
    assert geoseg(*words, "-o", tmp_path / "part", box) == 0
    said = capsys.readouterr().err.replace("\n", " ")
    for kind in ("mask", "probabilities"):
        with (
            rasterio.open(tmp_path / f"full/wide_{kind}.tif") as full,
            rasterio.open(tmp_path / f"part/wide_{kind}.tif") as part,
        ):
            col, row = ~full.transform @ (part.transform.c, part.transform.f)
            assert (round(col), round(row)) == pytest.approx((col, row), abs=1e-6)
            assert part.height * part.width < 0.35 * full.height * full.width
            top_row, left_col = round(row), round(col)
            assert f"the mask covers rows {top_row} to {top_row + part.height} and columns {left_col}" in said
            inside = np.s_[:, top_row : top_row + part.height, left_col : left_col + part.width]
            whole = full.read()
            np.testing.assert_array_equal(part.read(), whole[inside])
            whole[inside] = 255
            assert (whole == 255).all()
    records = [json.loads((tmp_path / n / "wide_run.json").read_text()) for n in ("full", "part")]
    assert [record["spec"]["plan"]["window"] is None for record in records] == [True, False]
    assert records[1]["counts"]["patches"] < records[0]["counts"]["patches"] / 3


def test_dry_run_writes_nothing(scene: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Patches, memory, disk and time are told."""
    assert geoseg("infer", scene, "--runtime", "torch", "--bundle", bundle, "-o", "out", "--dry-run") == 0

    out = capsys.readouterr().out
    assert all(word in out for word in ("patches", "memory", "disk", "time"))
    assert not Path("out").exists()


def test_existing_results_are_refused(scene: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """As they are; ``--resume`` says that all is done, ``--overwrite`` writes anew."""
    words = ("infer", scene, "--runtime", "torch", "--bundle", bundle, "--format", "none")
    assert geoseg(*words) == 0
    before = Path("scene_mask.tif").stat().st_mtime_ns

    assert geoseg(*words) == 1
    assert "use --overwrite" in capsys.readouterr().err
    assert geoseg(*words, "--resume") == 0
    assert "all done by an earlier run" in capsys.readouterr().err
    assert Path("scene_mask.tif").stat().st_mtime_ns == before
    assert geoseg(*words, "--overwrite") == 0
    assert Path("scene_mask.tif").stat().st_mtime_ns > before


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--bundle", "nowhere"], "unknown bundle"),
        (["--device", "cuda"], "--device cuda"),
        (["--max-memory", "1MB"], "memory"),
        (["--patch", "100"], "multiples of 32"),
        (["--bands", "1,2,9"], "no band '9'"),
        (["--aoi", "none.gpkg"], "none.gpkg"),
    ],
)
def test_wrong_options_are_one_line(
    scene: Path, bundle: Path, words: list[str], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What does not fit is said before anything is written."""
    import torch

    if "cuda" in words and torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    given = words if "--bundle" in words else ["--bundle", str(bundle), *words]

    assert geoseg("infer", scene, "-o", "out", *given) == 1
    err = capsys.readouterr().err
    assert text in err
    assert err.count("\n") == 1
    assert not list(Path().glob("out/scene_*"))


@pytest.mark.parametrize("words", [["--overwrite", "--resume"], ["--aoi", "x.gpkg", "--bbox", "0,0,1,1"]])
def test_options_that_exclude_each_other(scene: Path, words: list[str]) -> None:
    """Usage errors, before torch is loaded."""
    assert geoseg("infer", scene, *words) == 2


def test_boxes_are_rings() -> None:
    """A box as a closed ring."""
    ring = json.loads(box_text((0, 1, 2, 3)))["coordinates"][0]

    assert ring == [[0, 1], [2, 1], [2, 3], [0, 3], [0, 1]]


@pytest.mark.parametrize(
    ("summary", "text"),
    [
        ({"building": 1562, "area_m2": 101390.36}, "1,562 polygons (building), 101,390 m²"),
        ({"building": 1, "area_px": 3.0}, "1 polygon (building), 3 px"),
        ({"road": 2, "Häuser": 0, "area_m2": 12.5}, "2 polygons (2 road, 0 Häuser), 12 m²"),
        ({"road": 1200, "area_m2": 0.0, "not_measured": 3}, "1,200 polygons (road), 0 m², 3 not measured"),
        ({}, ""),
    ],
)
def test_polygons_are_counted_in_words(summary: dict[str, float], text: str) -> None:
    """Thousands apart, square metres as m², a class by its own name, of any language."""
    assert summary_text("polygons", summary) == text
    one = {"roof": 2, "area_m2": 20, "holes_filled": 1, "spikes_cut": 2}
    assert summary_text("polygons", one).endswith("20 m², 1 hole filled, 2 spikes cut")


@pytest.mark.parametrize(("seconds_each", "told"), [(1.0, True), (0.01, False)])
def test_a_long_run_is_estimated(
    scene: Path,
    bundle: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    seconds_each: float,
    told: bool,
) -> None:
    """Of 2,000 patches, a second each, after 3 of them: 33 minutes more; of 20 s in all nothing is said."""
    clock = [0.0]
    monkeypatch.setattr("geoseg.cli.infer.time.monotonic", lambda: clock[0])
    with open_scene(scene) as opened:
        planned = plan_segment(opened, load_bundle(bundle), SegmentOptions())
    announcer = Announcer(scene)
    listener = announcer.listener()
    listener.planned(planned.spec, planned.estimate)
    announcer._total = 2000
    listener.progress(0)
    for _ in range(500):
        clock[0] += seconds_each
        listener.progress(1)
    lines = [line for line in capsys.readouterr().err.splitlines() if "at this speed" in line]
    assert len(lines) == told
    assert [line.partition(" more")[0] for line in lines] == ["about 33 min 16 s"] * told


def test_the_bundle_of_a_training_run(scene: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The folder of a run stands for the bundle in it, which is said."""
    shutil.copytree(bundle, "run/bundle")
    assert geoseg("infer", scene, "--bundle", "run", "-o", "out", "--dry-run") == 0
    assert "its bundle, run/bundle, is taken" in capsys.readouterr().err


@pytest.mark.parametrize("finished", [True, False])
def test_a_checkpoint_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str], finished: bool) -> None:
    """``model pack`` names the bundle that training makes, or how to come to it."""
    (tmp_path / "bundle").mkdir()
    for name in ("recipe.json", "fingerprint.json", "best.ckpt", *(["bundle/bundle.json"] * finished)):
        (tmp_path / name).touch()
    assert geoseg("model", "pack", tmp_path / "best.ckpt", "-o", tmp_path / "new") == 1
    expected = f"use --bundle {tmp_path / 'bundle'}" if finished else "--resume"
    assert expected in capsys.readouterr().err


def test_model_commands(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``show`` and ``check`` on a folder."""
    assert geoseg("model", "show", bundle) == 0
    assert "Linknet" in capsys.readouterr().out
    assert geoseg("model", "show", bundle, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "small"
    assert geoseg("model", "check", bundle) == 0
    assert "FAILED" not in capsys.readouterr().out


def test_check_finds_damage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A bundle with another byte in its weights is not whole; the exit code says so."""
    folder = make_test_bundle(tmp_path / "hurt")
    weights = folder / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)

    assert geoseg("model", "check", folder) == 1
    out = capsys.readouterr().out
    assert "FAILED" in out
    assert "sha256" in out


def test_pack_a_checkpoint(tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Weights that torch saved become a bundle that infer takes."""
    import torch

    from geoseg.model.bundle import load_bundle

    loaded = load_bundle(bundle)
    torch.save({"state_dict": {f"model.{k}": v for k, v in loaded.weights.items()}}, tmp_path / "best.ckpt")
    words = ("--architecture", "Linknet", "--encoder", SMALL_ENCODER, "--classes", "road #888888")

    assert (
        geoseg("model", "pack", tmp_path / "best.ckpt", "-o", tmp_path / "roads", *words, "--gsd", "0.3,0.6")
        == 0
    )
    assert "geoseg infer SCENE --bundle" in capsys.readouterr().out
    packed = load_bundle(tmp_path / "roads").spec
    assert [(c.name, c.colour) for c in packed.classes.foreground] == [("road", "#888888")]
    assert packed.gsd_range_m == (0.3, 0.6)


def test_pack_needs_an_architecture(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Which no weights file tells."""
    assert geoseg("model", "pack", tmp_path / "x.pt", "-o", tmp_path / "y") == 1
    assert "--architecture" in capsys.readouterr().err


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    """On a machine that runs these tests nothing is broken."""
    code = geoseg("doctor", "--json")

    findings = json.loads(capsys.readouterr().out)
    assert [f for f in findings if not f["ok"] and not f["topic"].startswith("bundle")] == []
    assert code == (0 if all(f["ok"] for f in findings) else 1)
    assert {"GDAL", "machine", "torchvision", "allocator", "openvino"} <= {f["topic"] for f in findings}


def test_coarse_scenes_are_refused_unless_taken_as_they_are(
    tmp_path: Path, bundle: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Enlarging pixels of 10 m adds nothing; --gsd-m runs on them as they are, and the record says so."""
    monkeypatch.chdir(tmp_path)
    known = make_test_bundle(tmp_path / "known", gsd_range_m=(0.2, 0.5))
    write_scene(Path("coarse.tif"), (64, 64), transform=rasterio.Affine(10, 0, 500000, 0, -10, 3000000))
    words = ("infer", "coarse.tif", "--runtime", "torch", "--bundle", known, "--format", "none", "-o", "out")
    assert geoseg(*words) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert "times as many" in told
    assert [*Path().glob("out/*")] == []
    assert geoseg(*words, "--gsd-m", "0.4") == 0
    record = json.loads(Path("out/coarse_run.json").read_text())
    assert record["options"]["network"]["gsd_m"] == 0.4
    assert record["spec"]["plan"]["network"]["height"] == 64
