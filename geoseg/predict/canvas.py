"""Where patches are added up, on the device that computed them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geoseg.core import LEVELS, Plan
from geoseg.errors import BundleError


class Levels:
    """Quantised rows on their way from the device.

    Args:
        levels: uint8 (outputs, rows, width).
        total: sum of the rows before they were quantised; not finite if any probability was not.
        where: the rows, for the message.
    """

    def __init__(self, levels: torch.Tensor, total: torch.Tensor, where: str) -> None:
        self._copied: torch.cuda.Event | None = None
        self._host = levels
        self._total = total
        self._where = where
        if levels.is_cuda:
            # A second stream: the copy must not make the next patches wait.
            stream = torch.cuda.Stream(levels.device)  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream(levels.device))
            with torch.cuda.stream(stream):
                self._host = torch.empty(levels.shape, dtype=levels.dtype, pin_memory=True)
                self._host.copy_(levels, non_blocking=True)
                levels.record_stream(stream)
                self._copied = stream.record_event()

    def numpy(self) -> NDArray[np.uint8]:
        """The rows, once they have arrived: (outputs, rows, width).

        Raises:
            BundleError: if the network answered something that is no number.
        """
        if self._copied is not None:
            self._copied.synchronize()
        if not bool(torch.isfinite(self._total)):
            raise BundleError(
                f"the network answered NaN or infinity in {self._where}",
                "check the bundle with geoseg model check, or try another --runtime",
            )
        return np.asarray(self._host.numpy())


class Canvas:
    """Weighted sums of probabilities over the rows that patches still reach.

    Sums are float32: a bfloat16 sum is off by up to three levels.
    """

    def __init__(self, plan: Plan, first_strip: int) -> None:
        self._rows, self._cols = plan.patches.rows, plan.patches.cols
        starts = self._rows.starts
        # The last strip waits for the last two rows of patches, see PatchAxis.cuts.
        depth = self._rows.patch + (starts[-1] - starts[-2] if len(starts) > 1 else 0)
        self._sum = torch.zeros((plan.outputs, depth, self._cols.padded), device=plan.device)
        self._top = starts[max(first_strip - 1, 0)]
        self._weights: dict[tuple[bytes, bytes], torch.Tensor] = {}

    def paste(self, row: int, col: int, probabilities: Any) -> None:
        """Add one patch: (outputs, height, width) float32, a NumPy array or a tensor."""
        # Strips above this row of patches have been taken by now.
        self._advance(self._rows.cuts[min(row, len(self._rows.cuts) - 2)])
        top = self._rows.starts[row] - self._top
        left = self._cols.starts[col]
        target = self._sum[:, top : top + self._rows.patch, left : left + self._cols.patch]
        target.addcmul_(torch.as_tensor(probabilities), self._weight(row, col))

    def _weight(self, row: int, col: int) -> torch.Tensor:
        down, across = self._rows.weights[row], self._cols.weights[col]
        key = (down.tobytes(), across.tobytes())
        if key not in self._weights:
            outer = torch.from_numpy(down[:, None] * across[None, :])
            self._weights[key] = outer.to(self._sum.device)
        return self._weights[key]

    def _advance(self, row: int) -> None:
        gone = row - self._top
        if gone <= 0:
            return
        kept = self._sum.shape[1] - gone
        if kept > 0:
            self._sum[:, :kept] = self._sum[:, gone:].clone() if gone < kept else self._sum[:, gone:]
        self._sum[:, max(kept, 0) :] = 0
        self._top = row

    def levels(self, strip: int, width: int) -> Levels:
        """Quantise the rows of a finished strip, the left ``width`` columns."""
        first, stop = self._rows.cuts[strip], self._rows.cuts[strip + 1]
        self._advance(first)
        rows = self._sum[:, : stop - first, :width]
        half = torch.full((), 0.5, device=rows.device)
        levels = torch.add(half, rows, alpha=LEVELS).to(torch.uint8)
        return Levels(levels, rows.sum(), f"rows {first}-{stop - 1}")
