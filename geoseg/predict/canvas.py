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


class BlendingCanvas:
    """Weighted sums of probabilities over the strips that patches still reach, each strip in rows of its own.

    Sums are float32: a bfloat16 sum is off by up to three levels.
    """

    def __init__(self, plan: Plan) -> None:
        self._rows, self._cols = plan.patches.rows, plan.patches.cols
        self._outputs, self._device = plan.outputs, plan.device
        self._sums: dict[int, torch.Tensor] = {}
        self._free: list[torch.Tensor] = []
        self._weights: dict[tuple[bytes, bytes], torch.Tensor] = {}

    def paste(self, row: int, col: int, probabilities: Any) -> None:
        """Add one patch: (outputs, height, width) float32, a NumPy array or a tensor."""
        patch = torch.as_tensor(probabilities, device=self._device)
        weight = self._weight(row, col)
        top, left = self._rows.starts[row], self._cols.starts[col]
        bottom, right = top + self._rows.patch, left + self._cols.patch
        cuts = self._rows.cuts
        # Strips above this row of patches have been taken by now.
        strip = min(row, len(cuts) - 2)
        while strip < len(cuts) - 1 and cuts[strip] < bottom:
            first, stop = max(top, cuts[strip]), min(bottom, cuts[strip + 1])
            target = self._strip(strip)[:, first - cuts[strip] : stop - cuts[strip], left:right]
            inside = slice(first - top, stop - top)
            target.addcmul_(patch[:, inside], weight[inside])
            strip += 1

    def _strip(self, strip: int) -> torch.Tensor:
        """Sums of a strip: (outputs, rows, columns)."""
        if strip not in self._sums:
            size = (self._outputs, self._rows.cuts[strip + 1] - self._rows.cuts[strip], self._cols.padded)
            free = self._free.pop() if self._free and self._free[-1].shape == size else None
            self._sums[strip] = torch.zeros(size, device=self._device) if free is None else free.zero_()
        return self._sums[strip]

    def _weight(self, row: int, col: int) -> torch.Tensor:
        down, across = self._rows.weights[row], self._cols.weights[col]
        key = (down.tobytes(), across.tobytes())
        if key not in self._weights:
            outer = torch.from_numpy(down[:, None] * across[None, :])
            self._weights[key] = outer.to(self._device)
        return self._weights[key]

    def levels(self, strip: int, width: int) -> Levels:
        """Quantise the rows of a finished strip, the left ``width`` columns."""
        sums = self._strip(strip)
        # A resumed run begins with patches that reach into the strip before, which is done.
        self._sums = {index: kept for index, kept in self._sums.items() if index > strip}
        rows = sums[:, :, :width]
        total = rows.sum()
        half = torch.full((), 0.5, device=rows.device)
        levels = torch.add(half, rows, alpha=LEVELS, out=rows).to(torch.uint8)
        self._free = [sums]
        first, stop = self._rows.cuts[strip], self._rows.cuts[strip + 1]
        return Levels(levels, total, f"rows {first}-{stop - 1}")
