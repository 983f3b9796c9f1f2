"""What the bench prepares, in a process of its own."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import Any

from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.items import DataSource
from geoseg.dataset.yolo import read_yolo_folder


def prepare_yolo(folder: str, target: str) -> dict[str, Any]:
    """Make a data set of YOLO polygons, as ``geoseg prepare yolo`` does."""
    shutil.rmtree(target, ignore_errors=True)
    started = time.perf_counter()
    found = read_yolo_folder(Path(folder), ["building"])
    dataset = prepare_annotated(found, Target(Path(target), DataSource("bench"), gsd_m=0.4))
    seconds = time.perf_counter() - started
    return {"seconds": seconds, "images": len(dataset), "objects": dataset.totals()["objects"]}
