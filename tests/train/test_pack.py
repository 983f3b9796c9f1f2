import json

import pytest
import torch
from torch import nn

from geoseg.core.bundle import BundleSpec, Precision
from geoseg.model.bundle import load_bundle
from geoseg.model.networks import build_network
from geoseg.train.buildings import Findings, card, describe
from geoseg.train.pack import half_precision, write_bundle
from geoseg.train.recipe import Recipe

RECIPE = Recipe(arguments={"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2})
FINDINGS = Findings(
    threshold=0.45,
    gsd_range_m=(0.2, 0.5),
    min_area_m2=8.0,
    value_range=((10.0, 240.0),) * 3,
    metrics={"here": {"pixel_iou": 0.8}, "there": {"footprint_f1": 0.5}},
    precision=Precision(0.001, 0.1, 0.005, agrees=True),
)


def test_bundle_is_read_back_as_it_was_written(tmp_path):
    """The loader takes what training packs, and the network answers as it did, within half precision."""
    torch.manual_seed(0)
    network = build_network(RECIPE.architecture, RECIPE.arguments).eval()
    spec = describe(RECIPE, FINDINGS, "1")
    written = write_bundle(tmp_path / "buildings", spec, network, card(spec))
    bundle = load_bundle(tmp_path / "buildings")
    assert bundle.spec == BundleSpec.from_json(written.to_json())
    assert {p.name for p in tmp_path.iterdir()} == {"buildings"}
    patch = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        difference = torch.sigmoid(network(patch)) - torch.sigmoid(bundle.network()(patch))
    assert difference.abs().max() < 0.01


def test_description_is_plain_json(tmp_path):
    write_bundle(tmp_path / "b", describe(RECIPE, FINDINGS, "1"), nn.Conv2d(1, 1, 1), "card")
    values = json.loads((tmp_path / "b" / "bundle.json").read_text())
    assert values["threshold"] == 0.45
    assert values["metrics"]["here"]["pixel_iou"] == 0.8
    assert set(values["files"]) == {"weights.safetensors", "card.md"}


def test_card_names_figures_and_licences():
    text = card(describe(RECIPE, FINDINGS, "1"))
    assert "| here |  | 0.800 |" in text
    assert "| there | 0.500 |  |" in text
    assert "ODbL-1.0" in text
    assert "CC-BY-4.0" in text


def test_weights_too_large_for_half_precision_are_refused():
    layer = nn.Linear(2, 2)
    nn.init.constant_(layer.bias, 1e6)
    with pytest.raises(ValueError, match="bias"):
        half_precision(layer)


def test_step_counters_are_left_out():
    assert set(half_precision(nn.BatchNorm2d(2))) == {"weight", "bias", "running_mean", "running_var"}
