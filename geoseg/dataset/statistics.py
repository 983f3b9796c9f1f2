"""What the values of a data set's bands are like, gathered image by image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt

SAMPLED = 100_000
"""Values per band kept for the percentiles, over the whole data set."""
PERCENTILES = (2.0, 98.0)

Pixels = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class BandStatistics:
    """Of the valid pixels of all images, one number per band.

    Attributes:
        pixels: how many were counted.
        mean: arithmetic mean.
        std: standard deviation.
        low: the 2nd percentile, of a sample spread evenly over all images.
        high: the 98th.
        minimum: least value.
        maximum: greatest value.
    """

    pixels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> BandStatistics:
        """The inverse of :meth:`to_json`.

        Raises:
            KeyError, TypeError, ValueError: if something is missing or is no number.
        """
        names = ("mean", "std", "low", "high", "minimum", "maximum")
        return cls(int(values["pixels"]), *(tuple(float(v) for v in values[name]) for name in names))


@dataclass(frozen=True, slots=True)
class PartStatistics:
    """Of one image or a part of it; parts add up.

    Attributes:
        pixels: valid ones.
        total: per band.
        squares: per band, sum of squares.
        minimum: per band.
        maximum: per band.
        sample: per band, values spread evenly over the part.
    """

    pixels: int
    total: tuple[float, ...]
    squares: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]
    sample: tuple[tuple[float, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; nothing is copied, since samples are long."""
        return {each.name: getattr(self, each.name) for each in fields(self)}


def measure_part(pixels: Pixels, valid: Mask, sampled: int) -> PartStatistics:
    """Gather the values of some pixels.

    Args:
        pixels: (bands, height, width).
        valid: (height, width).
        sampled: how many values per band are kept for the percentiles, at least one where any is valid.
    """
    values = pixels.reshape(len(pixels), -1) if valid.all() else pixels[:, valid]
    count = values.shape[1]
    if not count:
        nothing = (0.0,) * len(pixels)
        return PartStatistics(0, nothing, nothing, nothing, nothing, ((),) * len(pixels))
    chosen = np.linspace(0, count - 1, num=min(max(sampled, 1), count)).astype(np.int64)
    return PartStatistics(
        count,
        tuple(float(band.sum(dtype=np.float64)) for band in values),
        tuple(_squares(band) for band in values),
        tuple(float(band.min()) for band in values),
        tuple(float(band.max()) for band in values),
        tuple(tuple(band[chosen].tolist()) for band in values),
    )


def _squares(band: Pixels) -> float:
    if band.dtype == np.uint8:
        counts = np.bincount(band, minlength=256)
        return float(counts @ (np.arange(256, dtype=np.int64) ** 2))
    wide = band.astype(np.float64)
    return float(wide @ wide)


def add_parts(parts: Iterable[PartStatistics]) -> BandStatistics | None:
    """Statistics of a whole data set; None where no pixel is valid."""
    known = [part for part in parts if part.pixels]
    if not known:
        return None
    count = sum(part.pixels for part in known)
    mean = _columns([p.total for p in known]).sum(axis=0) / count
    spread = np.maximum(_columns([p.squares for p in known]).sum(axis=0) / count - mean**2, 0.0)
    sample = [np.concatenate([p.sample[band] for p in known]) for band in range(len(mean))]
    low, high = (_rounded([float(np.percentile(s, q)) for s in sample]) for q in PERCENTILES)
    return BandStatistics(
        count,
        _rounded(mean),
        _rounded(np.sqrt(spread)),
        low,
        high,
        _rounded(_columns([p.minimum for p in known]).min(axis=0)),
        _rounded(_columns([p.maximum for p in known]).max(axis=0)),
    )


def _columns(rows: Sequence[tuple[float, ...]]) -> npt.NDArray[np.float64]:
    return np.array(rows, np.float64)


def _rounded(values: Iterable[float]) -> tuple[float, ...]:
    return tuple(float(f"{float(v):.9g}") for v in values)
