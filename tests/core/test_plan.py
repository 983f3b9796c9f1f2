"""The plan: grids, bands, scaling, memory."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.core import (
    Band,
    BundleSpec,
    ClassList,
    GeoGrid,
    LabelClass,
    Machine,
    NetworkOptions,
    Plan,
    Scaling,
    SceneInfo,
    SegmentOptions,
    VectorOptions,
    make_plan,
    wants_stretch,
)
from geoseg.core.resources import MB
from geoseg.core.spec import settle_polygons
from geoseg.errors import OptionError, ResourceError, SceneError

CPU = Machine("cpu", "a processor", "openvino", True, 2, 8_000 * MB)
RGB = (Band(1, "", "red"), Band(2, "", "green"), Band(3, "", "blue"))
CLASSES = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#FF6F00")))
SPEC = BundleSpec(
    name="buildings",
    architecture="Unet",
    arguments={},
    bands=("red", "green", "blue"),
    scaling=Scaling("uint8", (1 / 128,) * 3, (-127 / 128,) * 3),
    classes=CLASSES,
    gsd_range_m=(0.2, 0.5),
    has_edges=True,
)


def scene(size=(3000, 4000), gsd=(0.3, 0.3), bands=RGB, dtype="uint8", crs="EPSG:32628"):
    """A scene's header."""
    return SceneInfo("scene", GeoGrid(*size, (0.3, 0, 0, 0, -0.3, 0), crs), bands, dtype, None, gsd)


def test_a_plan_survives_json():
    """A plan read back is the plan."""
    plan, _ = make_plan(scene(gsd=(0.1, 0.1)), SPEC, SegmentOptions(), CPU, [(3, 900)] * 3)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
    assert BundleSpec.from_json(json.loads(json.dumps(SPEC.to_json()))) == SPEC


@pytest.mark.parametrize(
    ("gsd", "size"),
    [
        ((0.3, 0.3), (3000, 4000)),
        ((0.5002, 0.5002), (3000, 4000)),
        ((0.19, 0.19), (3000, 4000)),
        ((0.1, 0.1), (1500, 2000)),
        ((1.0, 1.0), (6000, 8000)),
        ((0.3, 0.6), (round(3000 * 0.3 / 0.18**0.5), round(4000 * 0.6 / 0.18**0.5))),
    ],
    ids=["inside", "hardly outside", "a little finer", "finer", "coarser", "not square"],
)
def test_the_network_runs_within_its_gsd_range(gsd, size):
    """Resampled to the nearest end of the range, and to squares, only where that matters."""
    plan, _ = make_plan(scene(gsd=gsd), SPEC, SegmentOptions(), CPU)
    assert plan.network.size == size
    assert plan.resamples == (size != (3000, 4000))


def test_scaling_is_folded_into_one_step():
    """A stretch to 0-255 and the bundle's scaling, against the two steps in turn."""
    plan, _ = make_plan(scene(dtype="uint16"), SPEC, SegmentOptions(), CPU, [(100, 1100), (0, 255), (5, 10)])
    values = np.array([100.0, 51.0, 7.0])
    low, high = np.array([100, 0, 5]), np.array([1100, 255, 10])
    expected = ((values - low) / (high - low) * 255) / 128 - 127 / 128
    np.testing.assert_allclose(values * plan.scaling.gain + plan.scaling.bias, expected, atol=1e-9)
    zero = np.asarray(plan.scaling.fill) * plan.scaling.gain + plan.scaling.bias
    assert np.abs(zero).max() <= 0.51 * max(plan.scaling.gain)
    assert wants_stretch(scene(dtype="uint16"), SPEC, NetworkOptions())
    assert not wants_stretch(scene(), SPEC, NetworkOptions())
    assert wants_stretch(scene(), SPEC, NetworkOptions(stretch=True))


def bands(*names):
    """Bands of those names and colours (``name`` or ``name/colour``)."""
    parts = [(*n.split("/"), "undefined")[:2] for n in names]
    return tuple(Band(i, name, colour) for i, (name, colour) in enumerate(parts, start=1))


@pytest.mark.parametrize(
    ("found", "expected", "warns"),
    [
        (bands("/blue", "/green", "/red"), (3, 2, 1), False),
        (bands("nir", "Blue", "Green", "Red"), (4, 3, 2), False),
        (bands("/gray", "/undefined", "/undefined", "/alpha"), (1, 2, 3), True),
        (bands("/red", "/green", "/blue", "/alpha"), (1, 2, 3), False),
    ],
    ids=["BGR", "names", "unnamed", "RGBA"],
)
def test_bands_are_bound_by_name_or_colour(found, expected, warns):
    """Never by order where the file says what its bands are."""
    plan, estimate = make_plan(scene(bands=found), SPEC, SegmentOptions(), CPU)
    assert plan.bands == expected
    assert any("--bands" in w for w in estimate.warnings) == warns


def test_classes_to_straighten_that_are_not_there():
    """Refused with the plan, before anything runs."""
    options = SegmentOptions(vectors=VectorOptions(regularize=("shed",)))
    with pytest.raises(OptionError, match="--regularize shed: no such class"):
        settle_polygons(scene(), SPEC, options)


def test_bands_that_are_not_there():
    """The message names the remedy."""
    with pytest.raises(SceneError, match="--bands 1,1,1"):
        make_plan(scene(bands=bands("/gray")), SPEC, SegmentOptions(), CPU)
    for chosen in (("1", "2"), ("1", "2", "4"), ("1", "2", "swir")):
        with pytest.raises(OptionError, match="--bands"):
            make_plan(scene(), SPEC, SegmentOptions(network=NetworkOptions(bands=chosen)), CPU)


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_patches_shrink_with_the_scene(height, width):
    """A scene smaller than a patch gets smaller patches that the network takes."""
    plan, _ = make_plan(scene((height, width)), SPEC, SegmentOptions(), CPU)
    for side, length in zip(plan.patches.patch, (height, width), strict=True):
        assert side % 32 == 0
        assert side == 512 or length <= side < length + 32


def test_patches_the_network_cannot_take():
    """A side that is no multiple of 32, an overlap above half a patch."""
    for options in (NetworkOptions(patch=(100, 100)), NetworkOptions(overlap=(300, 300))):
        with pytest.raises(OptionError):
            make_plan(scene(), SPEC, SegmentOptions(network=options), CPU)


def test_memory_is_kept_or_refused():
    """The batch is halved until the run fits; what cannot fit is refused with the amount needed."""
    whole, estimate = make_plan(scene(), SPEC, SegmentOptions(), CPU)
    tight = NetworkOptions(max_memory=estimate.memory - 1)
    assert make_plan(scene(), SPEC, SegmentOptions(network=tight), CPU)[0].batch < whole.batch
    with pytest.raises(ResourceError, match="MB"):
        make_plan(scene(), SPEC, SegmentOptions(network=NetworkOptions(max_memory=100 * MB)), CPU)
    _, tall = make_plan(scene((3_000_000, 4000)), SPEC, SegmentOptions(), CPU)
    assert tall.memory == estimate.memory


def test_a_scene_without_crs_is_told():
    """What cannot be measured is said."""
    plan, estimate = make_plan(scene(crs=None, gsd=None), SPEC, SegmentOptions(), CPU)
    assert any("no CRS" in w for w in estimate.warnings)
    assert not plan.resamples


def test_bf16_only_where_it_agrees():
    """The card must say so, and the device must have it."""
    agreeing = BundleSpec.from_json(
        SPEC.to_json()
        | {"precision": {"mean_abs": 0.001, "max_abs": 0.1, "tolerance": 0.005, "agrees": True}}
    )
    assert make_plan(scene(), SPEC, SegmentOptions(), CPU)[0].precision == "fp32"
    assert make_plan(scene(), agreeing, SegmentOptions(), CPU)[0].precision == "bf16"
    for machine in (replace(CPU, bf16=False), replace(CPU, runtime="torch")):
        assert make_plan(scene(), agreeing, SegmentOptions(), machine)[0].precision == "fp32"
