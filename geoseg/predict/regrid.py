"""Scores from the network's grid to the scene's: bilinear, where neither side of a gap in the data votes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from geoseg.core import NODATA, Plan
from geoseg.core.strip import Levels


@dataclass(frozen=True, slots=True)
class _Axis:
    """For each target pixel the two source pixels around its centre and the share of the second."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    share: NDArray[np.float32]

    @classmethod
    def between(cls, source: int, target: int) -> _Axis:
        centre = np.clip((np.arange(target) + 0.5) * (source / target) - 0.5, 0, source - 1)
        first = np.floor(centre).astype(np.int64)
        second = np.minimum(first + 1, source - 1)
        return cls(first, second, (centre - first).astype(np.float32))


class Regrid:
    """Streams rows of levels from the network's grid to the scene's.

    Args:
        plan: says both grids.
    """

    def __init__(self, plan: Plan) -> None:
        self._down = _Axis.between(plan.network.height, plan.source.height)
        self._across = _Axis.between(plan.network.width, plan.source.width)
        self._held: Levels | None = None
        self._top = 0
        self._next = 0

    def add(self, rows: Levels) -> tuple[int, Levels]:
        """Take rows (outputs, rows, network width); give those of the scene's grid that they complete.

        Returns:
            First row on the scene's grid and levels (outputs, finished rows, scene width).
        """
        held = rows if self._held is None else np.concatenate([self._held, rows], axis=1)
        first, end = self._next, self._top + held.shape[1]
        stop = int(np.searchsorted(self._down.second, end, side="left"))
        result = self._interpolate(held, first, stop)
        keep = min(int(self._down.first[stop]), end) if stop < len(self._down.first) else end
        self._held, self._top, self._next = held[:, keep - self._top :], keep, stop
        return first, result

    def _interpolate(self, held: Levels, first: int, stop: int) -> Levels:
        if first == stop:
            return np.empty((held.shape[0], 0, len(self._across.first)), np.uint8)
        valid = held[0] != NODATA
        if valid.all():
            mixed = self._bilinear(torch.from_numpy(held).float(), first, stop)
        else:
            weight = torch.from_numpy(valid).float()
            total = self._bilinear(weight[None], first, stop)
            mixed = self._bilinear(torch.from_numpy(held).float() * weight, first, stop)
            mixed = torch.where(total > 0, mixed / total, float(NODATA))
        levels = mixed.add_(0.5).clamp_(max=NODATA).to(torch.uint8).numpy()
        return np.asarray(levels)

    def _bilinear(self, rows: torch.Tensor, first: int, stop: int) -> torch.Tensor:
        part = slice(first, stop)
        top = torch.from_numpy(self._down.first[part] - self._top)
        bottom = torch.from_numpy(self._down.second[part] - self._top)
        share = torch.from_numpy(self._down.share[part])[:, None]
        columns = torch.lerp(rows.index_select(1, top), rows.index_select(1, bottom), share)
        left, right = (torch.from_numpy(i) for i in (self._across.first, self._across.second))
        share = torch.from_numpy(self._across.share)
        return torch.lerp(columns.index_select(2, left), columns.index_select(2, right), share)
