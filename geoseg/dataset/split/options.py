"""How a data set may be split; what commands know without loading libraries."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geoseg.errors import OptionError

TRAIN, VALID, TEST, OUT = 0, 1, 2, -1
"""The part of an image; ``OUT``: in none, as it lies within the buffer of another part."""
WAYS = ("auto", "blocks", "scenes", "sequences", "random")
LISTED = "list"
"""The way that follows a given list."""
FAR_M = 50_000.0
"""Images further apart than this are never neighbours: they may be mapped apart, each map true to scale."""


@dataclass(frozen=True)
class Shares:
    """What is asked for: shares of all pixels that are kept.

    Attributes:
        valid: for validation, above 0.
        test: for the test, 0 for none.
    """

    valid: float = 0.2
    test: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.valid < 1 and 0 <= self.test < 1 and self.valid + self.test < 1):
            raise OptionError(
                f"--valid {self.valid:g} and --test {self.test:g} are no shares, or leave none to train on",
                "use 0.2 and 0.1",
            )

    @property
    def wanted(self) -> npt.NDArray[np.float64]:
        """Of each part: (3,), sums to 1."""
        return np.array([1 - self.valid - self.test, self.valid, self.test])

    @property
    def held(self) -> tuple[int, ...]:
        """The parts that are held out."""
        return (VALID, TEST) if self.test else (VALID,)


@dataclass(frozen=True, slots=True)
class SplitOptions:
    """How a data set is to be split.

    Attributes:
        by: one of ``WAYS``.
        shares: of validation and test.
        buffer: metres, or pixels without CRS, that training keeps from what is held out; None: half an image.
        pattern: a regular expression whose first group is an image's sequence.
        valid_list: a file with the names of the images to validate on, one a line.
        seed: of what is random.
    """

    by: str = "auto"
    shares: Shares = field(default_factory=Shares)
    buffer: float | None = None
    pattern: str | None = None
    valid_list: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.by not in WAYS:
            raise OptionError(f"--strategy {self.by}", f"use one of {', '.join(WAYS)}")
        if self.buffer is not None and not 0 <= self.buffer < FAR_M:
            raise OptionError(f"--buffer {self.buffer:g}", f"use 0 to {FAR_M:,.0f}")
        if self.valid_list and self.by != "auto":
            raise OptionError(f"--valid-list goes not with --strategy {self.by}", "leave one of them out")
        if self.valid_list and self.shares.test:
            raise OptionError("--valid-list goes not with --test", "leave one of them out")
        if self.pattern is not None and (self.by not in ("auto", "sequences") or self.valid_list):
            raise OptionError("--pattern is for sequences", "use it with --strategy sequences, or alone")
