"""Accuracy on real data as the documented commands print it: ``geoseg infer``, then ``geoseg evaluate``."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import rasterio

BANEPA_EAST = 2048
"""First column that was not trained on."""


def banepa(data: str, network: str | None, folder: str, split_touching: bool | None) -> dict[str, Any]:
    """The drone scene's east against its outlines."""
    source = Path(data) / "banepa"
    with rasterio.open(source / "scene.tif") as scene:
        west, _ = scene.transform * (BANEPA_EAST, 0)
        box = (west, scene.bounds.bottom, scene.bounds.right, scene.bounds.top)
    words = ["--no-split-touching"] if split_touching is False else []
    out = _infer(source / "scene.tif", network, Path(folder) / "banepa", *words)
    return _evaluate(out / "scene_mask.tif", source / "buildings.geojson", "--bbox", ",".join(map(str, box)))


def rio(data: str, network: str | None, folder: str) -> dict[str, Any]:
    """All chips pooled: satellite chips of 0.5 m with masks, some with black corners."""
    source = Path(data) / "rio"
    return _evaluate(_infer(source / "images" / "*.tif", network, Path(folder) / "rio"), source / "masks")


def vegas(data: str, network: str | None, folder: str) -> dict[str, Any]:
    """One uint16 chip of 0.3 m; its mask declares its only class as no data, so the class is named."""
    source = Path(data) / "vegas"
    out = _infer(source / "image.tif", network, Path(folder) / "vegas")
    return _evaluate(out / "image_mask.tif", source / "mask.tif", "--truth-value", "1=building")


def _infer(scenes: Path, network: str | None, folder: Path, *words: str) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    bundle = ["--bundle", network] if network else []
    _geoseg("infer", scenes, "-o", folder, "--format", "gpkg", *bundle, *words)
    return folder


def _evaluate(prediction: Path, truth: Path, *words: str) -> dict[str, Any]:
    total = json.loads(_geoseg("evaluate", prediction, truth, "--json", *words))["total"]
    objects = total["footprints"]["iou_0.5"]
    figures = {name: objects[name] for name in ("f1", "precision", "recall")}
    return {"iou": total["pixels"]["pooled"]["classes"]["building"]["iou"], **figures}


def _geoseg(*words: str | Path) -> str:
    command = [sys.executable, "-m", "geoseg", *map(str, words)]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
