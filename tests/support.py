"""Small bundles for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from geoseg.core import BundleSpec, Precision
from geoseg.model.networks import build_network
from geoseg.model.pack import write_bundle
from geoseg.model.recipe import PackRecipe

SMALL_ENCODER = "tu-mobilenetv3_small_050"  # with Linknet 0.4 M parameters, 1.5 MB


def make_test_spec(**recipe: Any) -> BundleSpec:
    """A description of a small network; keywords are those of :class:`PackRecipe`."""
    arguments = {"encoder_name": SMALL_ENCODER}
    defaults = {"name": "test", "architecture": "Linknet", "arguments": arguments, "patch": (64, 64)}
    return PackRecipe(**{**defaults, "overlap": (16, 16), **recipe}).spec()


def make_test_bundle(folder: Path, *, seed: int = 0, agrees: bool = False, **recipe: Any) -> Path:
    """Write a bundle with random weights.

    Args:
        folder: to make.
        seed: of the weights.
        agrees: whether the description says that bf16 agrees with fp32.
        recipe: keywords of :class:`PackRecipe` (``classes``, ``bands``, ``has_edges``, ``gsd_range_m``...).

    Returns:
        The folder.
    """
    spec = make_test_spec(**{"name": folder.name, **recipe})
    if agrees:
        values = spec.to_json()
        values["precision"] = {"mean_abs": 0.0, "max_abs": 0.0, "tolerance": 1.0, "agrees": True}
        spec = BundleSpec.from_json(values)
        assert spec.precision == Precision(0.0, 0.0, 1.0, True)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = build_network(spec.architecture, spec.arguments)
    write_bundle(folder, spec, network.state_dict())
    return folder
