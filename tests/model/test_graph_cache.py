"""Converted networks are kept between runs, and a kept one is the one that would be made."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rasterio
from click.testing import CliRunner

from geoseg.cli.main import cli
from geoseg.model import graph_cache, openvino_predictor, predictor
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.predictor import make_predictor
from tests.model.test_predictor import patches_for, plan_for

pytestmark = pytest.mark.skipif(not openvino_predictor.is_installed(), reason="no OpenVINO here")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "geoseg" / "graphs"


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with every conversion."""
    made: list[object] = []
    convert = predictor.convert
    monkeypatch.setattr(predictor, "convert", lambda *what: made.append(what) or convert(*what))
    return made


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """The embedded one."""
    return load_bundle()


def test_a_network_is_converted_once(cache: Path, conversions: list[object], bundle: Bundle) -> None:
    """The second predictor answers bit for bit as the first; other shapes and types are other networks."""
    plan = plan_for(bundle.spec, runtime="openvino")
    patches = patches_for(bundle)
    first, second = (make_predictor(bundle, plan).predict(patches) for _ in range(2))
    assert np.array_equal(first, second)
    assert len(conversions) == len(list(cache.iterdir())) == 1
    make_predictor(bundle, replace(plan, dtype="uint16"))
    make_predictor(bundle, replace(plan, scaling=replace(plan.scaling, gain=(1.0, 1.0, 1.0))))
    assert len(conversions) == len(list(cache.iterdir())) == 3


@pytest.mark.parametrize("damage", ["graph.bin", "graph.xml", "sha256", "missing"])
def test_a_damaged_entry_is_made_anew(
    cache: Path, conversions: list[object], bundle: Bundle, damage: str
) -> None:
    """Whatever is in the folder, the answer is the same and nothing is said."""
    plan, patches = plan_for(bundle.spec, runtime="openvino"), patches_for(bundle)
    expected = make_predictor(bundle, plan).predict(patches)
    (entry,) = cache.iterdir()
    if damage == "missing":
        (entry / "graph.bin").unlink()
    else:
        content = (entry / damage).read_bytes()
        (entry / damage).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert np.array_equal(expected, make_predictor(bundle, plan).predict(patches))
    assert len(conversions) == 2
    make_predictor(bundle, plan)
    assert len(conversions) == 2


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_entries_are_private(cache: Path, bundle: Bundle) -> None:
    """Nobody else may read or replace what this user runs."""
    make_predictor(bundle, plan_for(bundle.spec, runtime="openvino"))
    (entry,) = cache.iterdir()
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in (cache, entry)] == [0o700, 0o700]


def test_a_cache_that_cannot_be_written_to(cache: Path, bundle: Bundle) -> None:
    """A file where the folder should be: the network is converted every time."""
    cache.parent.mkdir(parents=True)
    cache.write_text("not a folder")
    make_predictor(bundle, plan_for(bundle.spec, runtime="openvino")).predict(patches_for(bundle))


def test_the_oldest_entries_go(cache: Path, bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache has a limit; what was used last stays."""
    plan = plan_for(bundle.spec, runtime="openvino")
    make_predictor(bundle, plan)
    (old,) = cache.iterdir()
    size = sum(path.stat().st_size for path in old.iterdir())
    monkeypatch.setattr(graph_cache, "MOST_BYTES", 3 * size // 2)
    os.utime(old, (1, 1))
    make_predictor(bundle, replace(plan, dtype="uint16"))
    (new,) = cache.iterdir()
    assert old != new


def test_the_cache_is_cleared(cache: Path, bundle: Bundle) -> None:
    """`geoseg doctor --clear-cache` says where it was and how much it took."""
    make_predictor(bundle, plan_for(bundle.spec, runtime="openvino"))
    size = sum(path.stat().st_size for path in cache.rglob("*") if path.is_file())
    result = CliRunner().invoke(cli, ["doctor", "--clear-cache"])
    assert (result.exit_code, result.output) == (0, f"{cache}: {size / 1e6:,.1f} MB removed\n")
    assert not cache.exists()


LIBRARIES = ("segmentation_models_pytorch", "timm", "torchvision")


@pytest.mark.usefixtures("cache")
def test_a_kept_network_needs_no_model_library(sample_dir: Path, tmp_path: Path) -> None:
    """With a kept network, a run imports neither segmentation_models_pytorch nor timm nor torchvision."""
    with rasterio.open(sample_dir / "scene.tif") as scene:
        left, top = scene.bounds.left, scene.bounds.top
    words = ["infer", str(sample_dir / "scene.tif"), "-o", str(tmp_path), "--overwrite"]
    words.append(f"--bbox={left},{top - 60},{left + 60},{top}")
    code = (
        f"import sys; from geoseg.cli.main import cli; cli({words!r}, standalone_mode=False)\n"
        f"print([name for name in {LIBRARIES} if name in sys.modules])"
    )
    lines = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert [line.splitlines()[-1] for line in lines] == [str(list(LIBRARIES)), "[]"]
