"""Out of memory halves the batch and goes on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from geoseg.core import Predictor
from geoseg.errors import ResourceError


class HalvingPredictor:
    """A predictor that takes smaller batches where the device has no memory for whole ones.

    Results are those of the predictor within one level; ``largest`` tells what fitted, for the record. Any
    error but "out of memory" is raised as it is.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self.batch = predictor.batch
        self.largest = predictor.batch

    def predict(self, patches: NDArray[np.generic]) -> Any:
        """Probabilities of a batch, computed in parts where need be."""
        while True:
            parts = range(0, len(patches), self.largest)
            try:
                results = [self._predictor.predict(patches[i : i + self.largest]) for i in parts]
            except torch.OutOfMemoryError as error:
                if self.largest == 1:
                    raise ResourceError(
                        "the device has no memory for a single patch", "use a smaller --patch or --device cpu"
                    ) from error
                self.largest //= 2
            else:
                return results[0] if len(results) == 1 else torch.cat(results)

    def stream(self, batches: Iterator[NDArray[np.generic]]) -> Iterator[Any]:
        """Results of :meth:`predict` for each batch, in order."""
        return map(self.predict, batches)
