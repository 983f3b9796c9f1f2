"""Warnings about scenes that do not look like the training images."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from geoseg.core import Band, BundleSpec, GeoGrid, Scaling, SceneInfo
from geoseg.core.preflight import preflight
from tests.memory import BUILDINGS

SPEC = BundleSpec(
    name="houses",
    architecture="unet",
    arguments={},
    bands=("red", "green"),
    scaling=Scaling("uint8", (1.0, 1.0), (0.0, 0.0)),
    classes=BUILDINGS,
    gsd_range_m=(0.2, 0.5),
    value_range=((10.0, 240.0), (10.0, 240.0)),
)
INFO = SceneInfo("s", GeoGrid(9, 9), (Band(1, "", "red"), Band(2, "", "green")), "uint8", gsd_m=(0.3, 0.3))
SAMPLE = np.random.default_rng(0).integers(15, 230, (2, 1000)).astype(np.uint8)


def test_a_usual_scene_passes() -> None:
    """Nothing is said where nothing stands out."""
    assert [] == preflight(INFO, SPEC, SAMPLE)


@pytest.mark.parametrize(
    ("info", "spec", "sample", "word"),
    [
        (replace(INFO, gsd_m=(0.6, 0.6)), SPEC, SAMPLE, "coarser"),
        (INFO, SPEC, SAMPLE[:, :0], "no pixel"),
        (INFO, SPEC, SAMPLE // 10, "band red"),
        (INFO, SPEC, np.stack([SAMPLE[0]] * 2), "grey"),
        (
            replace(INFO, dtype="uint16"),
            replace(SPEC, scaling=Scaling("uint8", (1.0, 1.0), (0.0, 0.0), "never")),
            SAMPLE.astype(np.uint16),
            "stretch",
        ),
    ],
)
def test_what_stands_out_is_said(info: SceneInfo, spec: BundleSpec, sample: np.ndarray, word: str) -> None:
    """One warning each, in plain words."""
    told = preflight(info, spec, sample)
    assert any(word in warning for warning in told), told
