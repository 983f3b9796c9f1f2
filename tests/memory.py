"""Scenes, plans and networks in memory, for tests of planning and blending."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import ClassList, GeoGrid, InputScaling, LabelClass, PatchGrid, Plan, RowBlock

BUILDINGS = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#FF6F00")))


class FunctionPredictor:
    """A network that is a Python function of a batch."""

    def __init__(self, function: Callable[[NDArray[Any]], NDArray[np.float32]], batch: int = 3) -> None:
        self.function = function
        self.batch = batch
        self.calls = 0

    def predict(self, patches: NDArray[Any]) -> NDArray[np.float32]:
        self.calls += 1
        return self.function(patches)

    def stream(self, batches: Iterator[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        return map(self.predict, batches)


class EagerPredictor(FunctionPredictor):
    """One that takes two batches before it gives the first result, as an asynchronous runtime does."""

    def stream(self, batches: Iterator[NDArray[Any]]) -> Iterator[NDArray[np.float32]]:
        waiting: list[NDArray[np.float32]] = []
        for batch in batches:
            waiting.append(self.predict(batch))
            if len(waiting) == 2:
                yield waiting.pop(0)
        yield from waiting


def constant(level: int, outputs: int = 1) -> Callable[[NDArray[Any]], NDArray[np.float32]]:
    """A network that answers ``level / 250`` everywhere."""
    return lambda x: np.full((len(x), outputs, *x.shape[2:]), level / 250, np.float32)


def per_pixel(x: NDArray[Any]) -> NDArray[np.float32]:
    """A network whose answer at a pixel is that pixel's first band, in levels."""
    return x[:, :1].astype(np.float32) / 250


def make_memory_plan(
    size: tuple[int, int],
    patch: tuple[int, int],
    overlap: tuple[int, int],
    taper: str = "hann",
    **changes: Any,
) -> Plan:
    """A plan for a scene that lies in memory: one uint8 band, one class."""
    grid = GeoGrid(*size)
    network = GeoGrid(*changes.pop("network_size", size))
    values: dict[str, Any] = {
        "source": grid,
        "network": network,
        "patches": PatchGrid.over(network.size, patch, overlap, taper),
        "bands": (1,),
        "dtype": "uint8",
        "scaling": InputScaling(None, None, (1.0,), (0.0,), (0.0,)),
        "classes": BUILDINGS,
        "channels": 1,
        "has_edges": False,
        "activation": "sigmoid",
        "threshold_level": 125,
        "device": "cpu",
        "runtime": "torch",
        "precision": "fp32",
        "batch": 3,
        "tta": False,
        "aoi": None,
    }
    return Plan(**(values | changes))


def memory_blocks(
    pixels: NDArray[Any],
    plan: Plan,
    valid: NDArray[np.bool_] | None = None,
    wanted: NDArray[np.bool_] | None = None,
    first_patch_row: int = 0,
    heights: Callable[[], int] | None = None,
) -> Iterator[RowBlock]:
    """Rows as a reader gives them, on the scene's own grid; ``heights`` draws odd block heights."""
    valid = np.ones(pixels.shape[1:], bool) if valid is None else valid
    wanted = valid if wanted is None else wanted & valid
    row = plan.patches.rows.starts[first_patch_row]
    while row < pixels.shape[1]:
        stop = min(row + (heights() if heights else plan.patches.rows.patch), pixels.shape[1])
        part = np.where(valid[row:stop], pixels[:, row:stop], plan.scaling.fill[0]).astype(pixels.dtype)
        yield RowBlock(row, part, valid[row:stop], wanted[row:stop], row, wanted[row:stop])
        row = stop
