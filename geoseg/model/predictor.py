"""The predictor that a plan asks for."""

from __future__ import annotations

from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from geoseg.core import Plan, Predictor
from geoseg.core.concurrency import allowed_threads
from geoseg.errors import ResourceError
from geoseg.model import openvino_predictor
from geoseg.model.augmented import AugmentedPredictor
from geoseg.model.bundle import Bundle
from geoseg.model.folder import WEIGHTS
from geoseg.model.graph import ProbabilityGraph
from geoseg.model.graph_cache import cached_graph
from geoseg.model.openvino_predictor import OpenVinoPredictor, convert, input_dtype, shared_core
from geoseg.model.torch_predictor import TorchPredictor
from geoseg.runtime.cores import usable_cores

NEEDS = (
    *("device", "runtime", "precision", "batch", "tta", "patches"),
    *("bands", "dtype", "scaling", "channels", "outputs", "has_edges", "activation"),
)
"""What of a plan a predictor depends on; of patches and bands only their size and number."""

CONVERTERS = ("geoseg", "openvino", "torch", "segmentation-models-pytorch", "timm")
"""Packages whose versions decide what a converted network is."""


class Predictors:
    """Makes predictors and keeps the last one, which scenes that need the same share; for one thread."""

    def __init__(self) -> None:
        self._last: tuple[tuple[Any, ...], Predictor] | None = None

    def has(self, bundle: Bundle, plan: Plan) -> bool:
        """Whether the one that is kept does."""
        return self._last is not None and self._last[0] == _needs(bundle, plan)

    def get(self, bundle: Bundle, plan: Plan) -> Predictor:
        """As :func:`make_predictor`, or the one before."""
        if self._last is None or not self.has(bundle, plan):
            self.forget()
            self._last = _needs(bundle, plan), make_predictor(bundle, plan)
        return self._last[1]

    def forget(self) -> bool:
        """Give back what the one that is kept takes of memory; False where there is none."""
        kept, self._last = self._last, None
        return kept is not None


def _needs(bundle: Bundle, plan: Plan) -> tuple[Any, ...]:
    sizes = {"bands": len(plan.bands), "patches": plan.patches.patch}
    return (bundle.sha256, *(sizes.get(name, getattr(plan, name)) for name in NEEDS))


def make_predictor(bundle: Bundle, plan: Plan) -> Predictor:
    """Build the network and make it ready on the plan's device.

    Args:
        bundle: a loaded bundle.
        plan: made for that bundle.

    Returns:
        Takes patches in the plan's dtype, gives probabilities; see :class:`geoseg.core.Predictor`.

    Raises:
        ResourceError: the plan asks for a runtime that is not installed.
    """
    height, width = plan.patches.patch
    upright = _on_device(bundle, plan, (height, width))
    if not plan.tta:
        return upright
    turned = upright if height == width else _on_device(bundle, plan, (width, height))
    return AugmentedPredictor(upright, turned)


def _on_device(bundle: Bundle, plan: Plan, patch: tuple[int, int]) -> Predictor:
    if plan.runtime == "torch":
        return TorchPredictor(_graph(bundle, plan), plan)
    if not openvino_predictor.is_installed():
        raise ResourceError("the plan asks for OpenVINO, which is not installed", "pip install openvino")
    return OpenVinoPredictor(_converted(bundle, plan, patch), plan, patch, allowed_threads(usable_cores()))


def _graph(bundle: Bundle, plan: Plan) -> ProbabilityGraph:
    return ProbabilityGraph(bundle.network(), plan).eval()


def _converted(bundle: Bundle, plan: Plan, patch: tuple[int, int]) -> Any:
    """The network as OpenVINO takes it, from the cache where it was converted before."""
    spec = bundle.spec
    if WEIGHTS not in spec.files:  # nothing says which weights these are
        return convert(_graph(bundle, plan), plan, patch)
    key = {
        "weights": spec.files[WEIGHTS],
        "architecture": spec.architecture,
        "arguments": dict(spec.arguments),
        "scaling": asdict(plan.scaling),
        "shape": (len(plan.bands), *patch),
        "dtype": str(input_dtype(plan)),
        "outputs": (plan.channels, plan.has_edges, plan.activation),
        "versions": {name: version(name) for name in CONVERTERS},
    }
    return cached_graph(key, shared_core(), lambda: convert(_graph(bundle, plan), plan, patch))
