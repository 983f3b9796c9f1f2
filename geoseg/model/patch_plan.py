"""A plan for single patches on their own grid, where there is no scene."""

from __future__ import annotations

from dataclasses import replace

from geoseg.core import BundleSpec, GeoGrid, NetworkOptions, Plan, SceneInfo, SegmentOptions, make_plan
from geoseg.core.scene import Band
from geoseg.model.machine import describe_machine


def plan_patches(spec: BundleSpec, size: tuple[int, int], dtype: str) -> Plan:
    """The plan by which a bundle maps patches.

    Args:
        spec: of the bundle.
        size: ``(height, width)`` of a patch.
        dtype: of the stored values.
    """
    bands = tuple(Band(i, name, name) for i, name in enumerate(spec.bands, 1))
    grid = GeoGrid(*size, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), None)
    info = SceneInfo("patch", grid, bands, dtype)
    network = NetworkOptions(patch=size, overlap=(0, 0), batch=1)
    plan, _ = make_plan(info, spec, SegmentOptions(network=network), describe_machine(network))
    return replace(plan, tta=False)
