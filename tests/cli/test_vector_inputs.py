"""Vector files as every command reads them: layers, geometry types, types of attributes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pandas as pd
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.control import GroundControlPoint

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from tests.evaluate.files import CRS, box_px, write_outlines, write_raster

HOUSES = [box_px(10, 10, 30, 40), box_px(50, 50, 20, 30)]
PIXELS = 1200 + 600


@pytest.fixture(autouse=True)
def in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scene of 80 x 100 px, and a project whose layers are a site, houses and their centres."""
    monkeypatch.chdir(tmp_path)
    write_raster(Path("scene.tif"), np.full((3, 80, 100), 100, np.uint8), photometric="RGB")
    write_outlines(Path("perfect.geojson"), HOUSES)
    layers = {"site": [box_px(0, 0, 80, 100)], "houses": HOUSES, "centres": [h.centroid for h in HOUSES]}
    for name, shapes in layers.items():
        mode = "a" if Path("project.gpkg").exists() else "w"
        frame = geopandas.GeoDataFrame(geometry=shapes, crs=CRS)
        frame.to_file("project.gpkg", layer=name, mode=mode)


def geoseg(*words: str | Path) -> int:
    """Run a command in this process."""
    return run(cli, [str(word) for word in words])


def mask_pixels(path: str) -> int:
    """Pixels of 1 in a mask."""
    with rasterio.open(path) as src:
        return int((src.read(1) == 1).sum())


COMMANDS: dict[str, tuple[tuple[str, ...], str]] = {
    "rasterize": (("rasterize", "FILE", "--like", "scene.tif", "-o", "out.tif"), "--layer"),
    "prepare": (("prepare", "vectors", "FILE", "scene.tif", "-o", "out"), "--layer"),
    "prediction": (("evaluate", "FILE", "perfect.geojson", "-o", "out"), "--layer"),
    "truth": (("evaluate", "perfect.geojson", "FILE", "-o", "out"), "--truth-layer"),
    "aoi": (
        ("evaluate", "perfect.geojson", "perfect.geojson", "--aoi", "FILE", "-o", "out"),
        "--aoi-layer",
    ),
    "preview": (("preview", "scene.tif", "--polygons", "FILE", "-o", "out.png"), "--layer"),
}


def call(command: str, file: str, layer: str = "") -> int:
    """Run one of the commands on a vector file."""
    words, option = COMMANDS[command]
    return geoseg(*(file if word == "FILE" else word for word in words), *((option, layer) if layer else ()))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_layer_is_asked_for(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """By every command, in one line; with its name the same file is read."""
    assert call(command, "project.gpkg") == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert "site (1 polygon), houses (2 polygons); besides centres (2 points)" in told[-1]
    assert f"choose one, e.g. {COMMANDS[command][1]} houses" in told[-1]
    assert not list(Path().glob("out*/*"))
    assert not list(Path().glob("out.*"))

    assert call(command, "project.gpkg", "houses") == 0


def test_the_layer_that_is_chosen_is_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """22.5 % of the pixels are houses; compared with themselves they are all found."""
    for command in ("rasterize", "prepare", "prediction"):
        assert call(command, "project.gpkg", "houses") == 0
        assert ("2 of 2" in capsys.readouterr().out) == (command == "prediction")

    assert [mask_pixels(path) for path in ("out.tif", "out/masks/scene.tif")] == [PIXELS, PIXELS]


SHAPES: dict[str, tuple[list[Any], str]] = {
    "points": ([shapely.Point(box_px(9, 9, 9, 9).centroid)] * 2, "2 points (buffer them first"),
    "lines": ([shapely.LineString([(500001, 2999999), (500020, 2999980)])], "1 line (buffer them first"),
    "rings": ([shapely.LineString(HOUSES[0].exterior)], "1 line (turn closed lines into polygons"),
}


@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("command", COMMANDS)
def test_points_and_lines_are_no_labels(capsys: pytest.CaptureFixture[str], command: str, kind: str) -> None:
    """Refused by every command with what the file holds and how to go on; nothing is written."""
    shapes, words = SHAPES[kind]
    write_outlines(Path(f"{kind}.geojson"), shapes)

    assert call(command, f"{kind}.geojson") == 1
    assert f"{kind}.geojson holds no polygons: {words}" in capsys.readouterr().err
    assert not list(Path().glob("out*/*"))
    assert not list(Path().glob("out.*"))


@pytest.mark.parametrize("command", COMMANDS)
def test_polygons_among_others_are_read(capsys: pytest.CaptureFixture[str], command: str) -> None:
    """One line counts what is left out."""
    write_outlines(
        Path("mixed.geojson"), [*HOUSES, HOUSES[0].centroid, shapely.LineString(HOUSES[0].exterior)]
    )

    assert call(command, "mixed.geojson") == 0
    assert "mixed.geojson: 2 polygons are read; left out: 1 point, 1 line" in capsys.readouterr().err


def test_infer_reads_its_area_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """The layer of an area of interest is asked for before the network runs."""
    assert geoseg("infer", "scene.tif", "--aoi", "project.gpkg", "--dry-run") == 1
    assert "choose one, e.g. --aoi-layer houses" in capsys.readouterr().err
    assert geoseg("infer", "scene.tif", "--aoi", "project.gpkg", "--aoi-layer", "centres", "--dry-run") == 1
    assert "holds no polygons: 2 points" in capsys.readouterr().err


def test_an_empty_value_leaves_integers_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """Classes 1 and 2 whether or not a feature has none; such data sets go together."""
    shapes = [*HOUSES, box_px(0, 90, 5, 5)]
    for name, codes in {"a": [1, 2, None], "b": [1, 2, 2]}.items():
        frame = geopandas.GeoDataFrame({"code": pd.Series(codes, dtype="Int32")}, geometry=shapes, crs=CRS)
        pyogrio.write_dataframe(frame, f"{name}.fgb", use_arrow=True)
        vectors = ("prepare", "vectors", f"{name}.fgb", "scene.tif", "--class-field", "code", "-o")
        assert geoseg(*vectors, f"set_{name}") == 0
    assert "a.fgb: left out: 1 polygon without code" in capsys.readouterr().err
    assert geoseg("prepare", "merge", "set_a", "set_b", "-o", "both") == 0

    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert ("2,400 px" in rows["1"], "1,225 px" in rows["2"]) == (True, True)


def test_the_field_of_the_classes_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """Whether it is taken or not; a confidence too."""
    write_outlines(Path("a.geojson"), HOUSES, **{"class": ["roof", "shed"], "score": [0.5, 0.9]})
    write_outlines(Path("b.geojson"), HOUSES, kind=["roof", "shed"])
    for name in "ab":
        assert geoseg("rasterize", f"{name}.geojson", "--like", "scene.tif", "-o", f"{name}.tif") == 0
    assert geoseg("prepare", "vectors", "b.geojson", "scene.tif", "-o", "set") == 0
    assert geoseg("evaluate", "a.geojson", "perfect.geojson") == 1
    assert geoseg("evaluate", "a.geojson", "a.geojson") == 0

    told = capsys.readouterr().err
    assert "a.geojson: the field class holds the classes; --field takes another" in told
    assert "b.geojson: all polygons are of one class; --field takes classes from kind" in told
    assert "b.geojson: all polygons are of the class building; --class-field takes classes from kind" in told
    assert "a.geojson: the field class holds the classes, the field score holds the confidence" in told


def test_a_raster_that_has_lost_its_place_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Ground control points are not applied: the error says so."""
    with rasterio.open("gcp.tif", "w", driver="GTiff", count=1, height=80, width=100, dtype="uint8") as file:
        points = [(0, 0, 500000, 3000000), (0, 100, 500050, 3000000), (80, 0, 500000, 2999960)]
        file.write(np.ones((1, 80, 100), np.uint8))
        file.gcps = ([GroundControlPoint(*point) for point in points], CRS)

    for words in (
        ("rasterize", "perfect.geojson", "--like", "gcp.tif", "-o", "m.tif"),
        ("prepare", "vectors", "perfect.geojson", "gcp.tif", "-o", "set"),
    ):
        assert geoseg(*words) == 1
        assert "gcp.tif is placed by ground control points only" in capsys.readouterr().err


@pytest.mark.parametrize(("stored", "told"), [("UTF-8", "UTF-8"), ("CP1252", "ISO-8859-1"), ("UTF-8+", "")])
def test_texts_of_a_shapefile_that_does_not_say_how(
    stored: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are UTF-8 if they can be, else ISO-8859-1, which is said; + keeps the .cpg file."""
    names = ["Gebäude", "Wände"]
    frame = geopandas.GeoDataFrame({"class": names, "n": [1, 2]}, geometry=HOUSES, crs=CRS)
    frame.to_file("houses.shp", encoding=stored.rstrip("+"))
    if not stored.endswith("+"):
        Path("houses.cpg").unlink()
    assert geoseg("rasterize", "houses.shp", "--like", "scene.tif", "-o", "mask.tif") == 0

    shown = capsys.readouterr()
    assert [("no .cpg file" in shown.err), f"read as {told}" in shown.err] == [bool(told)] * 2
    assert all(name in shown.out for name in names)
    with rasterio.open("mask.tif") as src:
        assert {"0": "background", "1": "Gebäude", "2": "Wände"}.items() <= dict(_classes(src)).items()


def _classes(src: Any) -> list[tuple[str, str]]:
    found = json.loads(src.tags()["GEOSEG_CLASSES"])
    return [(str(label["id"]), label["name"]) for label in found]


def test_polygons_that_lie_elsewhere_are_not_drawn(capsys: pytest.CaptureFixture[str]) -> None:
    """A preview without them would look as if there were none."""
    write_outlines(Path("far.geojson"), [box_px(1000, 1000, 20, 20)])
    drawn = ("preview", "scene.tif", "--polygons")
    assert geoseg(*drawn, "far.geojson", "-o", "far.png") == 1
    assert "scene.tif: they lie at 500500 to 500510, 2999490 to 2999500 (check" in capsys.readouterr().err
    assert not Path("far.png").exists()
    assert geoseg(*drawn, "perfect.geojson", "-o", "near.png") == 0


def test_alpha_of_a_raster_whose_grid_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    """With many values it is a band of the picture: said, and --alpha decides."""
    alpha = np.full((80, 100), 200, np.uint8) + np.arange(100, dtype=np.uint8) % 50
    alpha[:30] = 0
    pixels = np.concatenate([np.full((3, 80, 100), 100, np.uint8), alpha[None]])
    write_raster(Path("rgba.tif"), pixels, photometric="RGB", alpha="YES")
    for choice, drawn in {"auto": PIXELS, "band": PIXELS, "mask": 600 + 10 * 40}.items():
        words = ("--like", "rgba.tif", "-o", f"{choice}.tif", "--alpha", choice)
        assert geoseg("rasterize", "perfect.geojson", *words) == 0
        assert drawn == mask_pixels(f"{choice}.tif")
        assert ("--alpha mask" in capsys.readouterr().err) == (choice == "auto")
