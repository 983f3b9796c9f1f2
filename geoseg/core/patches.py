"""Which patches cover a scene, and how much each counts at every pixel.

Weights are separable: the weight of a patch at (y, x) is the weight of its row of patches at y times that
of its column of patches at x, and along each axis the weights of all patches covering a pixel sum to 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core.window import Window
from geoseg.errors import OptionError

TAPERS = ("hann", "linear", "none")


def taper_profile(taper: str, patch: int) -> NDArray[np.float64]:
    """Unnormalised weight along one side of a patch, positive everywhere: shape (patch,)."""
    centre = (np.arange(patch) + 0.5) / patch
    if taper == "hann":
        return np.asarray(np.sin(np.pi * centre) ** 2, np.float64)
    if taper == "linear":
        return np.asarray(1.0 - np.abs(2.0 * centre - 1.0), np.float64)
    if taper == "none":
        return np.ones(patch)
    raise OptionError(f"unknown taper {taper!r}", f"use one of {', '.join(TAPERS)}")


@dataclass(frozen=True)
class PatchAxis:
    """Patches along one axis.

    Attributes:
        length: pixels of the scene along the axis.
        patch: pixels of a patch.
        overlap: pixels that neighbouring patches share; at most half a patch.
        taper: how a patch's weight falls off towards its ends.
    """

    length: int
    patch: int
    overlap: int
    taper: str = "hann"

    def __post_init__(self) -> None:
        if self.length < 1 or self.patch < 1:
            raise OptionError(f"a patch of {self.patch} px over {self.length} px", "use positive sizes")
        if not 0 <= self.overlap <= self.patch // 2:
            raise OptionError(
                f"overlap {self.overlap} with patch {self.patch}",
                "use an overlap from 0 to half the patch",
            )
        if self.taper not in TAPERS:
            raise OptionError(f"unknown taper {self.taper!r}", f"use one of {', '.join(TAPERS)}")

    @property
    def stride(self) -> int:
        """Pixels from one patch to the next."""
        return self.patch - self.overlap

    @property
    def padded(self) -> int:
        """Length after padding a scene that is smaller than one patch."""
        return max(self.length, self.patch)

    @cached_property
    def starts(self) -> tuple[int, ...]:
        """First pixel of each patch; the last patch is shifted back to end with the scene."""
        last = self.padded - self.patch
        return (*range(0, last, self.stride), last)

    @cached_property
    def weights(self) -> NDArray[np.float32]:
        """Normalised weight of every patch at its pixels: shape (patches, patch)."""
        profile = taper_profile(self.taper, self.patch)
        total = np.zeros(self.padded)
        for start in self.starts:
            total[start : start + self.patch] += profile
        rows = [profile / total[start : start + self.patch] for start in self.starts]
        return np.asarray(rows, np.float32)

    @property
    def cuts(self) -> tuple[int, ...]:
        """Where finished rows end: strip i is ``[cuts[i], cuts[i + 1])`` and strip i needs patches 0..i.

        Strips are one stride high. The last strip waits for the last two patches together: the shifted
        last patch may overlap two earlier ones, and a resumed run repeats one row of patches, not two.
        """
        return (*self.starts[:-1], self.length) if len(self.starts) > 1 else (0, self.length)

    def last_patch_of(self, strip: int) -> int:
        """Index of the last patch that contributes to a strip."""
        return len(self.starts) - 1 if strip == len(self.cuts) - 2 else strip


@dataclass(frozen=True)
class PatchGrid:
    """Patches over a scene, row-major, with the weights of each row and column of patches."""

    rows: PatchAxis
    cols: PatchAxis

    @classmethod
    def over(
        cls,
        size: tuple[int, int],
        patch: tuple[int, int],
        overlap: tuple[int, int],
        taper: str = "hann",
    ) -> PatchGrid:
        """Patches of ``(height, width)`` over a scene of ``(height, width)``."""
        return cls(
            PatchAxis(size[0], patch[0], overlap[0], taper),
            PatchAxis(size[1], patch[1], overlap[1], taper),
        )

    @property
    def patch(self) -> tuple[int, int]:
        """``(height, width)`` of a patch."""
        return self.rows.patch, self.cols.patch

    @property
    def strips(self) -> int:
        """Number of strips of finished rows."""
        return len(self.rows.cuts) - 1

    def __len__(self) -> int:
        return len(self.rows.starts) * len(self.cols.starts)

    def __iter__(self) -> Iterator[Window]:
        height, width = self.patch
        for row in self.rows.starts:
            for col in self.cols.starts:
                yield Window(row, col, height, width)

    def to_json(self) -> dict[str, Any]:
        """Plain values from which the grid can be made again."""
        return {
            "size": [self.rows.length, self.cols.length],
            "patch": list(self.patch),
            "overlap": [self.rows.overlap, self.cols.overlap],
            "taper": self.rows.taper,
            "patches": len(self),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> PatchGrid:
        """The inverse of :meth:`to_json`."""
        (height, width), (ph, pw), (oh, ow) = data["size"], data["patch"], data["overlap"]
        return cls.over((height, width), (ph, pw), (oh, ow), data["taper"])
