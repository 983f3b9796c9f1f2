"""The predictor that a plan asks for."""

from __future__ import annotations

from geoseg.core import Plan, Predictor
from geoseg.errors import ResourceError
from geoseg.model import openvino_predictor
from geoseg.model.augmented import AugmentedPredictor
from geoseg.model.bundle import Bundle
from geoseg.model.graph import ProbabilityGraph
from geoseg.model.machine import usable_cores
from geoseg.model.openvino_predictor import OpenVinoPredictor
from geoseg.model.torch_predictor import TorchPredictor


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
    graph = ProbabilityGraph(bundle.network(), plan).eval()
    height, width = plan.patches.patch
    upright = _on_device(graph, plan, (height, width))
    if not plan.tta:
        return upright
    turned = upright if height == width else _on_device(graph, plan, (width, height))
    return AugmentedPredictor(upright, turned)


def _on_device(graph: ProbabilityGraph, plan: Plan, patch: tuple[int, int]) -> Predictor:
    if plan.runtime == "torch":
        return TorchPredictor(graph, plan)
    if not openvino_predictor.is_installed():
        raise ResourceError("the plan asks for OpenVINO, which is not installed", "pip install openvino")
    return OpenVinoPredictor(graph, plan, patch, usable_cores())
