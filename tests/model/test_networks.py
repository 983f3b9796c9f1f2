import sys

import pytest
import torch

from geoseg.errors import BundleError
from geoseg.model import _torchvision_guard as guard
from geoseg.model.networks import ARCHITECTURES, build_network
from geoseg.runtime.allocator import keep_memory

SMALL = {"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2}


@pytest.mark.parametrize("architecture", sorted(ARCHITECTURES))
def test_every_architecture_keeps_the_size(architecture):
    """Logits for every pixel."""
    encoder = "resnet18" if architecture in {"DeepLabV3Plus", "PAN"} else "tu-tf_efficientnet_lite0"
    network = build_network(architecture, {**SMALL, "encoder_name": encoder}).eval()
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, 128, 128)).shape == (1, 2, 128, 128)


def test_unknown_architecture_names_the_known_ones():
    with pytest.raises(BundleError, match="Unet"):
        build_network("os.system", {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("encoder_name", "tu-hf-hub:someone/something"),
        ("encoder_name", "tu-local-dir:/etc"),
        ("encoder_name", ["resnet18"]),
        ("encoder_weights", "imagenet"),
        ("activation", "sigmoid"),
        ("classes", 10**9),
        ("classes", True),
        ("classes", 0),
        ("decoder_channels", []),
        ("decoder_channels", [256, "64"]),
        ("decoder_use_norm", {"type": "batchnorm"}),
    ],
)
def test_arguments_off_the_list_are_refused(name, value):
    """Nothing that reaches a server, reads the disk, fills the memory or means something else to smp."""
    with pytest.raises(BundleError, match="not allowed"):
        build_network("Unet", {**SMALL, name: value})


def test_unknown_encoder_is_an_input_error():
    with pytest.raises(BundleError, match="cannot be built"):
        build_network("Unet", {**SMALL, "encoder_name": "no-such-encoder"})


def test_guard_passes_other_failures_on(monkeypatch):
    """Only the one failure is mended."""

    def fail(name):
        raise RuntimeError("operator torchvision::roi_align does not exist")

    monkeypatch.setattr(guard.importlib, "import_module", fail)
    with pytest.raises(RuntimeError, match="roi_align"):
        guard.import_torchvision()


def test_guard_can_be_called_again():
    guard.import_torchvision()
    assert guard.import_torchvision() == bool(guard._declared)
    assert "torchvision" in sys.modules


def test_allocator_setting_can_be_repeated():
    assert keep_memory() == keep_memory()
