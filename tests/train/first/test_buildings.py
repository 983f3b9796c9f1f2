import numpy as np
import pytest
import torch

from geoseg.core.bundle import Precision
from geoseg.model.networks import build_network
from geoseg.model.pack import write_bundle
from geoseg.train.agreement import Agreement, compare_precisions
from geoseg.train.first.buildings import card, describe
from geoseg.train.first.findings import Findings
from geoseg.train.first.recipe import Recipe

RECIPE = Recipe(arguments={"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2})
FINDINGS = Findings(
    threshold=0.45,
    gsd_range_m=(0.2, 0.5),
    min_area_m2=8.0,
    value_range=((10.0, 240.0),) * 3,
    metrics={"here": {"pixel_iou": 0.8}, "there": {"footprint_f1": 0.5}},
    precision=Precision(0.001, 0.1, 0.005, agrees=True),
)


def test_bundle_is_read_back_as_it_was_described(tmp_path):
    """The network answers as it did, within half precision."""
    torch.manual_seed(0)
    network = build_network(RECIPE.architecture, RECIPE.arguments).eval()
    spec = describe(RECIPE, FINDINGS, "1")
    bundle = write_bundle(tmp_path / "buildings", spec, network.state_dict(), card(spec), half=True)
    assert bundle.spec.precision == FINDINGS.precision
    assert bundle.spec.threshold == 0.45
    patch = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        difference = torch.sigmoid(network(patch)) - torch.sigmoid(bundle.network()(patch))
    assert difference.abs().max() < 0.01


def test_precisions_are_compared_on_patches(tmp_path):
    """bf16 is near fp32, and never equal."""
    torch.manual_seed(0)
    network = build_network(RECIPE.architecture, RECIPE.arguments).eval()
    spec = describe(RECIPE, FINDINGS, "1")
    bundle = write_bundle(tmp_path / "b", spec, network.state_dict(), half=True)
    patches = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64), dtype=np.uint8)
    agreement = compare_precisions(bundle, iter(patches))
    assert 0 <= agreement.mean_abs <= agreement.max_abs < 0.5
    assert Agreement(0.001, 0.5, 0.001).precision().agrees
    assert not Agreement(0.001, 0.5, 0.02).precision().agrees
    with pytest.raises(ValueError, match="no patches"):
        compare_precisions(bundle, [])


def test_card_names_figures_and_licences():
    text = card(describe(RECIPE, FINDINGS, "1"))
    assert "| here |  | 0.800 |" in text
    assert "| there | 0.500 |  |" in text
    assert "ODbL-1.0" in text
    assert "CC-BY-4.0" in text
