"""A program that uses geoseg, run by tests: ``python -m tests.acceptance.guest KIND FOLDER``.

It prints, as JSON, what geoseg has changed in the process after each of some steps. Kinds: ``busy`` has used
the same libraries before, and has settings of its own; ``plain`` has done nothing; ``alone`` does without
geoseg and only imports the libraries.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.acceptance import host

LIBRARIES = (
    *("rasterio", "pyogrio", "geopandas", "pyarrow", "shapely", "PIL.Image", "numba"),
    *("torch", "segmentation_models_pytorch", "lightning.pytorch", "tensorboard"),
    *("torch.utils.tensorboard", "torchvision.transforms.v2", "torchmetrics", "openvino", "onnx"),
)


class OwnError(Exception):
    """Something of the program's own goes wrong within a call of geoseg."""


def main(kind: str, folder: Path) -> None:
    """Take the steps and tell."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # nothing is sent from a test
    os.environ["HOST"] = "1"
    look = host.of_python
    if kind == "busy":
        _be_busy(folder)
        look = _everything
        look()
    before, told = look(), {}
    for name, step in KINDS[kind].items():
        step(folder)
        told[name] = host.changes(before, look())
    words = [sys.executable, "-c", READ_VRT, str(folder / "town.vrt")]
    told["child"] = subprocess.run(words, capture_output=True, text=True, check=False).stdout
    print(json.dumps(told, default=repr))


READ_VRT = "import sys, rasterio; print(rasterio.open(sys.argv[1]).read().shape)"


def _everything() -> dict[str, Any]:
    return host.of_python() | host.of_libraries()


def _import_libraries(folder: Path) -> None:
    del folder
    try:
        importlib.import_module("torchvision")
    except RuntimeError:  # made for another build of torch: geoseg helps there, and changes nothing else
        from geoseg.model._torchvision_guard import import_torchvision

        import_torchvision()
    for name in LIBRARIES:
        with suppress(ModuleNotFoundError):
            importlib.import_module(name)


def _be_busy(folder: Path) -> None:
    """Use the libraries, and set what a program may set."""
    _import_libraries(folder)
    import numpy as np
    import rasterio
    import torch
    from rasterio.env import set_gdal_config
    from rasterio.vrt import WarpedVRT

    with (
        rasterio.open(folder / "town.vrt") as mosaic,
        WarpedVRT(mosaic, crs="EPSG:4326") as warped,
    ):
        mosaic.read()
        warped.read()
    set_gdal_config("GDAL_DISABLE_READDIR_ON_OPEN", "TRUE")
    tempfile.gettempdir()
    torch.set_num_threads(2)
    torch.manual_seed(7)
    np.random.seed(7)
    torch.backends.cudnn.benchmark = True
    warnings.simplefilter("always", rasterio.errors.NotGeoreferencedWarning)
    logging.getLogger("lightning.pytorch").setLevel(logging.DEBUG)
    signal.signal(signal.SIGTERM, lambda number, frame: None)


def _import_geoseg(folder: Path) -> None:
    del folder
    import geoseg

    for name in geoseg.__all__:
        getattr(geoseg, name)


def _segment(folder: Path, out: str, runtime: str = "openvino", progress: Any = False) -> None:
    import geoseg

    options = {"runtime": runtime, "device": "cpu", "probabilities": True, "overwrite": False}
    formats = ("gpkg", "geojson", "fgb", "parquet")
    scene, bundle = folder / "town.tif", folder / "bundle"
    done = geoseg.segment(scene, bundle, folder / out, progress=progress, format=formats, **options)
    geoseg.run(done.record.spec, geoseg.Resources(threads=1), folder / f"{out}-again")


def _arrays(folder: Path) -> None:
    """Arrays through a network, and to polygons and back."""
    import numpy as np

    import geoseg

    with geoseg.open(folder / "town.tif") as scene:
        pixels = np.arange(3 * 64 * 96, dtype=np.uint8).reshape(3, 64, 96)
        place = scene.transform, scene.crs
    model = geoseg.load_model(folder / "bundle")
    geoseg.predict(pixels, *place, model, device="cpu")
    mask = np.zeros((64, 96), np.uint8)
    mask[10:40, 10:60] = 1
    frame = geoseg.regularize(geoseg.polygonize(mask, *place))
    geoseg.rasterize(frame, mask.shape, *place)
    path = folder / "arrays.geojson"
    frame.to_file(path)
    geoseg.evaluate(path, path, scene=folder / "town.tif")


def _both_runtimes(folder: Path) -> None:
    _segment(folder, "out")
    _segment(folder, "out-torch", "torch")


def _within_an_env(folder: Path) -> None:
    import rasterio

    with rasterio.Env(GDAL_PAM_ENABLED="YES"):
        _segment(folder, "out-env")


def _vectorize(folder: Path) -> None:
    from geoseg.pipeline.vectorize import vectorize

    vectorize(folder / "out" / "town_mask.tif", [folder / "again.gpkg"])


def _tiles(folder: Path) -> None:
    from geoseg.cli.main import cli

    words = ("tile", folder / "town.tif", "-o", folder / "tiles", "--patch", 64)
    cli.main([*map(str, words)], standalone_mode=False)
    cli.main(["mosaic", str(folder / "tiles"), "-o", str(folder / "mosaic.tif")], standalone_mode=False)


def _train(folder: Path, run: str = "run", step: Callable[[Any], None] = lambda step: None) -> None:
    from geoseg.train import job

    nobody: Any = lambda *told: None  # noqa: E731
    listener = job.TrainListener(nobody, nobody, step, nobody, lambda windows: nobody, nobody)
    job.train(job.Request((folder / "set",), folder / run, _settings()), listener)


def _settings() -> Any:
    from geoseg.train.recipe import parse_settings

    return parse_settings(
        [
            *("network.architecture=Linknet", f"network.encoder={ENCODER}", "network.encoder_weights=null"),
            *("sampling.patch=64", "sampling.batch=4", "sampling.patches_per_epoch=4", "fitting.epochs=1"),
        ]
    )


def _range_test(folder: Path) -> None:
    from geoseg.dataset.store import open_dataset
    from geoseg.errors import OptionError
    from geoseg.train import fingerprint, job, rates

    data = fingerprint.look_at([open_dataset(folder / "set")], lambda images: None)
    recipe = job.plan_recipe(job.Request((folder / "set",), folder / "rate", _settings()), data, None)
    with suppress(OptionError):  # three steps are too few to find a rate
        rates.find_rate(data, recipe, job.Hardware("cpu"), steps=3)


ENCODER = "tu-mobilenetv3_small_050"


def _stopping(error: type[BaseException]) -> Callable[..., None]:
    def stop(*told: Any) -> None:
        raise error

    return stop


def _press_ctrl_c(*told: Any) -> None:
    signal.raise_signal(signal.SIGINT)


def _fail(folder: Path) -> None:
    with suppress(OwnError):
        _segment(folder, "failed", progress=_stopping(OwnError))
    with suppress(OwnError):
        _segment(folder, "failed-torch", "torch", progress=_stopping(OwnError))
    with suppress(OwnError):
        _train(folder, "failed-run", step=_stopping(OwnError))


def _interrupt(folder: Path) -> None:
    with suppress(KeyboardInterrupt):
        _segment(folder, "stopped", progress=_press_ctrl_c)
    from geoseg.errors import ResumeError

    with suppress(ResumeError):  # no epoch has ended
        _train(folder, "stopped-run", step=_press_ctrl_c)


def _refuse(folder: Path) -> None:
    import geoseg

    for name in ("damaged.tif", "none.tif", "bundle/bundle.json"):
        with suppress(geoseg.GeosegError):
            geoseg.open(folder / name)


def _in_threads(folder: Path) -> None:
    """Two runs that begin and end at different times, beside a third thread that looks at its warnings."""
    begun = threading.Event()

    def late() -> None:
        begun.wait()
        _segment(folder, "second", "torch")

    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(_segment, folder, "first", "openvino", lambda n: begun.set()), pool.submit(late)]
        for run in runs:
            run.result()


PLAIN_STEPS = {"import": _import_geoseg, "segment": _both_runtimes, "vectorize": _vectorize, "train": _train}
STEPS = PLAIN_STEPS | {
    "arrays": _arrays,
    "within an Env": _within_an_env,
    "tiles and a mosaic": _tiles,
    "range test": _range_test,
    "refused files": _refuse,
    "failures": _fail,
    "Ctrl-C": _interrupt,
    "two threads": _in_threads,
}
KINDS = {"busy": STEPS, "plain": PLAIN_STEPS, "alone": {"libraries": _import_libraries}}

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
