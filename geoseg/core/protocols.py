"""The seams between rooms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from geoseg.core.strip import Strip


@dataclass(frozen=True, slots=True)
class Output:
    """A file that a sink has put in place.

    Attributes:
        path: where it lies.
        kind: ``mask``, ``probabilities``, ``polygons``, ``style``.
        summary: counts to tell the user (``{"building": 41}``).
    """

    path: Path
    kind: str
    summary: dict[str, Any] = field(default_factory=dict)


class Predictor(Protocol):
    """A network on a device."""

    batch: int

    def predict(self, patches: NDArray[np.generic]) -> Any:
        """Probabilities of a batch.

        Args:
            patches: (batch, bands, height, width) in the scene's dtype; always ``batch`` patches.

        Returns:
            float32 (batch, outputs, height, width), a NumPy array or a torch tensor on the device.
        """
        ...

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[Any]:
        """Results of :meth:`predict` for each batch, in order; several may be under way.

        A result is valid until the next one is asked for.
        """
        ...


class Sink(Protocol):
    """Takes strips in order and leaves files, whole or not at all."""

    def add(self, strip: Strip) -> None:
        """Take the next strip."""
        ...

    def finish(self) -> None:
        """Complete and check the temporary files."""
        ...

    def commit(self) -> list[Output]:
        """Rename them into place; called once every sink of the run has finished."""
        ...

    def abort(self) -> None:
        """Remove the temporary files; safe to call at any time, also twice."""
        ...


Progress = Callable[[int], None]
"""Told how many more units (patches, pixels) are done."""
