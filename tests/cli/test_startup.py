"""Commands load what they need and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.scenes import write_scene

HEAVY = ("torch", "segmentation_models_pytorch", "timm", "openvino", "torchvision")
PROBE = """
import json, sys
sys.argv[0] = "geoseg"
from geoseg.cli.main import main
try:
    main()
except SystemExit as end:
    print(json.dumps({"code": end.code or 0, "modules": sorted(sys.modules)}), file=sys.stderr)
"""


def loaded(*arguments: str) -> set[str]:
    """Top-level names of all modules that a command had loaded when it ended well."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], capture_output=True, text=True, check=True
    )
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["code"] == 0, done.stderr
    return set(report["modules"])


def test_help_loads_no_command() -> None:
    """``geoseg --help`` needs click and nothing of the house but its door."""
    modules = loaded("--help")

    assert {"numpy", "rasterio", "geoseg.core", "geoseg.raster", *HEAVY} & modules == set()


def test_version_loads_no_command() -> None:
    """Neither does ``--version``."""
    assert {"numpy", "rasterio", *HEAVY} & loaded("--version") == set()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a scene, patches of it, a mask and its polygons."""
    path = tmp_path_factory.mktemp("startup")
    scene = write_scene(path / "scene.tif", (96, 130))
    write_scene(path / "mask.tif", (60, 60), bands=1)
    for words in (
        ["tile", str(scene), "-o", str(path / "tiles"), "--patch", "64"],
        ["vectorize", str(path / "mask.tif"), "-o", str(path / "outlines.gpkg")],
    ):
        subprocess.run([sys.executable, "-m", "geoseg", *words], check=True, capture_output=True)
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["info", "scene.tif"],
        ["tile", "scene.tif", "-o", "tiles2", "--patch", "64"],
        ["mosaic", "tiles", "-o", "mosaic.tif"],
        ["vectorize", "mask.tif", "-o", "polygons.gpkg"],
        ["rasterize", "outlines.gpkg", "--like", "mask.tif", "-o", "again.tif"],
        ["preview", "scene.tif", "-o", "picture.png"],
        ["model", "list"],
        ["model", "show"],
        ["infer", "--help"],
    ],
)
def test_torch_is_not_loaded(folder: Path, words: list[str]) -> None:
    """Commands that run no network import none of the libraries that take seconds."""
    here = [
        str(folder / w) if (folder / w).exists() or "." in w or w.startswith("tiles") else w for w in words
    ]

    assert set(HEAVY) & loaded(*here) == set()


def test_info_needs_no_vector_library(folder: Path) -> None:
    """The quickest command stays quick."""
    assert {"geopandas", "pandas", "pyarrow", "numba"} & loaded("info", str(folder / "scene.tif")) == set()
