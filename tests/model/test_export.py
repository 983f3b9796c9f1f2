"""Bundles for other programs."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import onnx
import pytest
import torch

from geoseg.errors import BundleError, OutputError
from geoseg.model.bundle import Bundle, load_bundle
from geoseg.model.export import export_bundle
from geoseg.model.graph import ProbabilityGraph
from geoseg.model.mlm import read_item
from geoseg.model.openvino_predictor import shared_core
from geoseg.model.pack import pack_bundle
from geoseg.model.patch_plan import plan_patches
from tests.support import make_test_bundle

FOUR: dict[str, Any] = {"bands": ("red", "green", "blue", "nir"), "mean": (0.4,) * 4, "std": (0.2,) * 4}
KINDS: dict[str, dict[str, Any]] = {
    "binary": {"has_edges": True},
    "classes": {"classes": ("road #888888", "open water #0000ff"), **FOUR},
}
RULES = json.loads((Path(__file__).parent / "mlm_rules.json").read_text())
"""What version 1.5 of the extension asks of an item, as far as geoseg writes it."""


@pytest.fixture(scope="module", params=list(KINDS))
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A small one, binary with rims or of three classes and four bands."""
    folder = tmp_path_factory.mktemp("given") / request.param
    values = KINDS[request.param]
    return load_bundle(make_test_bundle(folder, gsd_range_m=(0.2, 0.5), licence="CC0-1.0", **values))


@pytest.fixture(scope="module")
def exported(bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with everything."""
    folder = tmp_path_factory.mktemp("exported")
    export_bundle(bundle, folder)
    return folder


def answer(bundle: Bundle, pixels: np.ndarray) -> np.ndarray:
    """Torch's probabilities."""
    plan = plan_patches(bundle.spec, bundle.spec.patch, bundle.spec.scaling.dtype)
    with torch.inference_mode():
        return np.asarray(ProbabilityGraph(bundle.network(), plan)(torch.from_numpy(pixels)))


def pixels_for(bundle: Bundle, count: int) -> np.ndarray:
    """Patches of noise."""
    shape = (count, len(bundle.spec.bands), *bundle.spec.patch)
    return np.random.default_rng(7).integers(0, 256, shape).astype(np.float32)


@pytest.mark.parametrize("suffix", ["onnx", "xml"])
@pytest.mark.parametrize("count", [1, 3])
def test_networks_answer_as_torch_does(bundle: Bundle, exported: Path, suffix: str, count: int) -> None:
    """Within 1e-4 in float32, for batches of any size."""
    path = exported / f"{bundle.spec.name}.{suffix}"
    model = shared_core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    pixels = pixels_for(bundle, count)
    actual = next(iter(model(pixels).values()))

    assert np.abs(answer(bundle, pixels) - actual).max() < 1e-4


def test_others_can_read_the_files(exported: Path) -> None:
    """All files have the mode that new files get, those with weights too."""
    (exported / "plain").touch()
    expected = (exported / "plain").stat().st_mode
    assert {path.name for path in exported.iterdir() if path.stat().st_mode != expected} == set()
    (exported / "plain").unlink()


def test_onnx_is_one_whole_file(bundle: Bundle, exported: Path) -> None:
    """Valid, with its names and no weights elsewhere."""
    path = exported / f"{bundle.spec.name}.onnx"
    model = onnx.load(str(path), load_external_data=False)
    onnx.checker.check_model(model, full_check=True)

    assert (["pixels"], ["probabilities"]) == (
        [i.name for i in model.graph.input],
        [o.name for o in model.graph.output],
    )
    assert not any(t.data_location == onnx.TensorProto.EXTERNAL for t in model.graph.initializer)
    names = {f"{bundle.spec.name}.{s}" for s in ("onnx", "xml", "bin", "json", "safetensors")}
    assert names == {p.name for p in exported.iterdir()}


def test_the_item_keeps_the_rules_of_the_extension(bundle: Bundle, exported: Path) -> None:
    """And its checksums are those of the files."""
    item = json.loads((exported / f"{bundle.spec.name}.json").read_text())
    jsonschema.Draft202012Validator(RULES).validate(item)

    for asset in item["assets"].values():
        data = (exported / asset["href"]).read_bytes()
        assert asset["file:checksum"] == "1220" + hashlib.sha256(data).hexdigest()
        assert asset["file:size"] == len(data)


def test_a_bundle_packed_from_the_item_is_the_same(bundle: Bundle, exported: Path, tmp_path: Path) -> None:
    """Description and answers."""
    weights, recipe = read_item(exported / f"{bundle.spec.name}.json")
    again = pack_bundle(weights, tmp_path / "again", recipe)
    pixels = pixels_for(bundle, 1)

    for name in ("name", "architecture", "bands", "patch", "overlap", "gsd_range_m", "has_edges"):
        assert getattr(bundle.spec, name) == getattr(again.spec, name)
    for name in ("activation", "threshold", "licence"):
        assert getattr(bundle.spec, name) == getattr(again.spec, name)
    assert [c.name for c in bundle.spec.classes] == [c.name for c in again.spec.classes]
    assert bundle.spec.scaling.gain == pytest.approx(again.spec.scaling.gain, rel=1e-12)
    threshold = bundle.spec.threshold
    assert np.array_equal(answer(bundle, pixels) >= threshold, answer(again, pixels) >= threshold)


def test_files_are_not_overwritten_by_chance(bundle: Bundle, exported: Path) -> None:
    """But when asked to."""
    with pytest.raises(OutputError, match="exists"):
        export_bundle(bundle, exported, ("mlm",))
    assert export_bundle(bundle, exported, ("mlm",), overwrite=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda item: item["properties"].pop("mlm:input"), "'mlm:input' is missing"),
        (lambda item: item["assets"]["weights"].update(href="../secret.safetensors"), "do not lie beside"),
        (lambda item: item["assets"]["weights"].update(href="https://a.b/c.pth"), "do not lie beside"),
        (lambda item: item["assets"].pop("weights"), "no asset is a file of weights"),
        (
            lambda item: item["properties"]["mlm:input"][0].update(value_scaling=[{"type": "processing"}]),
            "z-score and min-max are known",
        ),
    ],
)
def test_items_that_cannot_be_packed(
    exported: Path, bundle: Bundle, tmp_path: Path, change: Any, words: str
) -> None:
    """Are refused with what is missing."""
    item = json.loads((exported / f"{bundle.spec.name}.json").read_text())
    change(item)
    (tmp_path / "item.json").write_text(json.dumps(item))
    with pytest.raises(BundleError, match=words):
        read_item(tmp_path / "item.json")
