"""``geoseg doctor``: is everything here that geoseg needs, and what can this machine do?"""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.metadata import version

import click

from geoseg.cli import options, show
from geoseg.errors import GeosegError

NEEDED = ("numpy", "rasterio", "pyproj", "shapely", "geopandas", "pyogrio", "pyarrow", "numba", "safetensors")
HEAVY = ("torch", "segmentation_models_pytorch")
"""What running a network needs besides, imported by the model's own probes."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        topic: what was looked at.
        text: what was found.
        ok: False where something needed is broken.
    """

    topic: str
    text: str
    ok: bool = True


@click.command("doctor")
@click.option(
    "--clear-cache",
    is_flag=True,
    help="Remove the converted networks in the cache folder, and do nothing else.",
)
@options.json_option
@options.debug_option
@click.pass_context
def command(ctx: click.Context, clear_cache: bool, as_json: bool) -> None:
    """Check this installation and tell what it can do."""
    if clear_cache:
        _clear_cache(as_json)
        return
    findings = list(examine())
    if as_json:
        show.as_json([{"topic": f.topic, "text": f.text, "ok": f.ok} for f in findings])
    else:
        show.table((("ok" if f.ok else "BROKEN"), f.topic, f.text) for f in findings)
    broken = [f.topic for f in findings if not f.ok]
    if broken and not as_json:
        click.echo(
            f"geoseg: broken: {', '.join(broken)} (from the clone: pip install --force-reinstall .)",
            err=True,
        )
    ctx.exit(1 if broken else 0)


def _clear_cache(as_json: bool) -> None:
    from geoseg.model import graph_cache

    folder, size = graph_cache.cache_folder(), graph_cache.clear_cache()
    if as_json:
        show.as_json({"folder": str(folder), "bytes": size})
    else:
        click.echo(f"{folder}: {size / 1e6:,.1f} MB removed")


def examine() -> Iterator[Finding]:
    """Look at everything; a broken thing does not keep the others from being looked at."""
    yield Finding(
        "geoseg", f"{version('geoseg')} on Python {platform.python_version()}, {platform.platform()}"
    )
    for name in NEEDED:
        yield _probe(name, lambda name=name: _library(name))  # type: ignore[misc]
    yield _probe("GDAL", _gdal)
    yield _probe("torchvision", _torchvision)
    for name in HEAVY:
        yield _probe(name, lambda name=name: _library(name))  # type: ignore[misc]
    yield _probe("openvino", _openvino)
    yield _probe("machine", _machine)
    yield _probe("allocator", _allocator)
    yield from _bundles()


def _probe(topic: str, look: Callable[[], str]) -> Finding:
    """Look, and make a finding of whatever happens."""
    try:
        return Finding(topic, look())
    except (ImportError, OSError, RuntimeError, AttributeError, GeosegError) as error:
        # a broken binary fails on import with any of these
        return Finding(topic, f"{type(error).__name__}: {' '.join(str(error).split())[:200]}", ok=False)


def _library(name: str) -> str:
    importlib.import_module(name)
    return version(name)


def _gdal() -> str:
    import pyogrio
    import rasterio

    own = ".".join(map(str, pyogrio.__gdal_version__))
    return f"{rasterio.__gdal_version__} for rasters (rasterio), {own} for vectors (pyogrio)"


def _torchvision() -> str:
    from geoseg.model._torchvision_guard import import_torchvision

    mended = import_torchvision()
    text = version("torchvision")
    return f"{text}; another build than torch's: made importable by geoseg" if mended else text


def _openvino() -> str:
    from geoseg.model import openvino_predictor

    if not openvino_predictor.is_installed():
        return "not installed: torch runs networks on the CPU, some 3 times slower (pip install openvino)"
    return f"{version('openvino')}, bf16 {'yes' if openvino_predictor.has_bf16() else 'no'}"


def _machine() -> str:
    from geoseg.core import NetworkOptions
    from geoseg.model.machine import describe_machine

    found = describe_machine(NetworkOptions())
    return (
        f"{found.device}: {found.device_name}, {found.cores} cores, {show.bytes_text(found.memory)} free; "
        f"networks run on {found.runtime}, bf16 {'yes' if found.bf16 else 'no'}"
    )


def _allocator() -> str:
    from geoseg.runtime.allocator import keep_memory

    if keep_memory():
        return "glibc, set to keep big blocks"
    return f"{sys.platform}: left as it is"


def _bundles() -> Iterator[Finding]:
    from geoseg.model.bundle import check_bundle
    from geoseg.model.folder import list_bundles

    names = list_bundles()
    if not names:
        yield Finding("bundles", "none came with this installation", ok=False)
    for name in names:
        failed = [check for check in check_bundle(name) if not check.passed]
        text = failed[0].message if failed else "whole, and its network answers"
        yield Finding(f"bundle {name}", text, ok=not failed)
