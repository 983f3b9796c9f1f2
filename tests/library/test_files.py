"""``geoseg.segment``, ``evaluate`` and ``train``: files in, results with attributes out."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import geoseg
from tests.scenes import write_scene
from tests.support import make_test_bundle


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes and a bundle."""
    path = tmp_path_factory.mktemp("files")
    make_test_bundle(path / "bundle")
    for seed, name in enumerate(("one", "two")):
        write_scene(path / f"{name}.tif", (150, 200), seed=seed)
    return path


def run(folder: Path, name: str, out: str) -> Any:
    """A mask and GeoJSON of a scene."""
    return geoseg.segment(
        folder / f"{name}.tif", folder / "bundle", folder / out, format="geojson", device="cpu"
    )


def test_two_threads_and_a_spawned_process_give_the_same_bytes(folder: Path) -> None:
    """Beside each other, and in a process that received its work pickled; results pickle too."""
    alone = [run(folder, name, "alone") for name in ("one", "two")]
    with ThreadPoolExecutor(2) as pool:
        threads = list(pool.map(lambda name: run(folder, name, "threads"), ("one", "two")))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as workers:
        spawned = workers.submit(run, folder, "one", "spawned").result()

    for expected, found in zip([*alone, alone[0]], [*threads, spawned], strict=True):
        assert expected.mask.read_bytes() == found.mask.read_bytes()
        assert expected.polygons["geojson"].read_bytes() == found.polygons["geojson"].read_bytes()
    assert pickle.loads(pickle.dumps(alone[0])) == alone[0]


def test_results_can_be_read(folder: Path) -> None:
    """They name their files, and evaluation its metrics, in a few lines."""
    done = run(folder, "one", "read")
    metrics = geoseg.evaluate(done.mask, done.mask)

    assert str(done.mask) in repr(done)
    assert done.probabilities is None
    assert metrics.pixels["building"]["iou"] == 1.0
    assert "IoU" in repr(metrics)
    assert metrics.to_dict()["total"]["pixels"]["accuracy"] == 1.0
    assert str(pickle.loads(pickle.dumps(metrics)).to_dict()) == str(
        metrics.to_dict()
    )  # NaN differs from NaN
    with geoseg.open(folder / "one.tif") as scene:
        assert "200 x 150 px, uint8 (red, green, blue), EPSG:32628" in repr(scene)
    assert repr(geoseg.load_model(folder / "bundle")).startswith("<Bundle bundle: ")


def test_progress_is_told(folder: Path) -> None:
    """Each event names the stage, and the last one that all is done."""
    events: list[Any] = []
    geoseg.segment(
        folder / "one.tif", folder / "bundle", folder / "told", format="none", progress=events.append
    )

    assert {"segment"} == {event.stage for event in events}
    assert events[-1].done == events[-1].total > 1
