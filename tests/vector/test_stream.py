"""Machine code that is loaded before the first strip is all that a run needs."""

from __future__ import annotations

import subprocess
import sys

CHILD = """
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher

from geoseg.core import Strip, VectorOptions
from geoseg.vector.stream import PolygonStream, load_kernels
from geoseg.vector.formats.table import PolygonContext
from tests.vector.files import PLAIN, Layout, layout


def compiled():
    modules = [m for name, m in sys.modules.items() if name.startswith("geoseg.vector")]
    kernels = {id(k): k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)}
    return {(k.__name__, str(s)) for k in kernels.values() for s in k.signatures}


def run(plan, options, channels):
    settings = plan.settings(options)
    load_kernels(plan, settings, channels)
    loaded = compiled()
    stream = PolygonStream(plan, settings)
    rng = np.random.default_rng(1)
    for row in range(0, 120, 40):
        labels = np.kron(rng.integers(0, 3, (10, 32), np.uint8), np.ones((4, 4), np.uint8)) % 2
        labels[0, :9] = 255
        scores = np.full((channels, *labels.shape), 200, np.uint8)
        edges = rng.integers(0, 251, labels.shape, np.uint8) if plan.has_edges else None
        for _ in stream.add(Strip(row, labels, scores, edges)):
            pass
    for _ in stream.finish():
        pass
    return sorted(compiled() - loaded)


plain = layout((120, 128))
edged = Layout(plain.source, plain.network, has_edges=True)
for late in (
    run(plain, PLAIN, 0),
    run(plain, VectorOptions(connectivity=8), 3),
    run(plain, VectorOptions(split_touching=True), 3),
    run(edged, VectorOptions(), 1),
    run(plain, VectorOptions(min_area_m2=1e-3), 0),
    run(plain, VectorOptions(min_area_m2=1e6), 0),
):
    print(late)
"""


def test_a_run_loads_nothing_after_its_kernels() -> None:
    """For masks, scores, dips in scores and edges: no loop is compiled while strips go by."""
    found = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)

    assert found.stdout.split("\n") == ["[]"] * 6 + [""]
