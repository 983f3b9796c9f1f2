"""Bundles: whatever is wrong with one, it is one clear line, and nothing in it runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil

import pytest
import safetensors.torch
import torch

from geoseg.errors import BundleError
from geoseg.model.bundle import CHECKS, check_bundle, load_bundle
from geoseg.model.folder import DESCRIPTION, WEIGHTS, find_bundle, list_bundles, open_folder
from geoseg.model.networks import build_network
from geoseg.model.weights import MAX_HEADER_BYTES, expected_shapes, parse_weights
from tests.support import make_test_bundle


@pytest.fixture(scope="session")
def pristine(tmp_path_factory):
    """A sound bundle, not to be changed."""
    return make_test_bundle(tmp_path_factory.mktemp("bundles") / "sound", has_edges=True)


@pytest.fixture
def folder(pristine, tmp_path):
    """A sound bundle's copy, to be damaged."""
    return shutil.copytree(pristine, tmp_path / "copy")


def change(folder, **entries):
    """Set entries of the description; None removes one."""
    path = folder / DESCRIPTION
    data = {**json.loads(path.read_text()), **entries}
    path.write_text(json.dumps({k: v for k, v in data.items() if v is not None}))


def put_weights(folder, data):
    """Replace the weights, and their sha256 with them."""
    (folder / WEIGHTS).write_bytes(data)
    files = json.loads((folder / DESCRIPTION).read_text())["files"]
    change(folder, files={**files, WEIGHTS: hashlib.sha256(data).hexdigest()})


def tensors_of(folder):
    return safetensors.torch.load((folder / WEIGHTS).read_bytes())


def refusal(folder):
    """The one line with which a bundle is refused, by its description or once its network is built."""
    with pytest.raises(BundleError) as caught:
        load_bundle(folder).check_shapes()
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_sound_bundle_loads(pristine):
    """Description, weights and network are what was packed."""
    bundle = load_bundle(pristine)
    assert hashlib.sha256((pristine / DESCRIPTION).read_bytes()).hexdigest() == bundle.sha256
    assert (2, True) == (bundle.spec.outputs, bundle.spec.has_edges)
    torch.manual_seed(0)
    original = build_network(bundle.spec.architecture, bundle.spec.arguments).state_dict()
    loaded = bundle.network().state_dict()
    assert list(original) == list(loaded)
    assert all(torch.equal(original[name], loaded[name]) for name in original)


def test_every_check_passes_on_a_sound_bundle(pristine):
    """The report names every check."""
    assert [(title, True, "") for title in CHECKS] == [
        (c.title, c.passed, c.message) for c in check_bundle(pristine)
    ]


def test_report_stops_where_it_fails(folder):
    """What comes after a failure is neither passed nor failed."""
    (folder / WEIGHTS).write_bytes(b"other")
    assert [True, False, None, None, None] == [c.passed for c in check_bundle(folder)]
    assert "sha256" in check_bundle(folder)[1].message


def test_report_runs_the_network(folder):
    """Weights may be finite and still lead to NaN: the report tries."""
    tensors = tensors_of(folder)
    name = next(n for n in tensors if n.endswith("running_var"))
    tensors[name] = -torch.ones_like(tensors[name])
    put_weights(folder, safetensors.torch.save(tensors))
    assert [True, True, True, True, False] == [c.passed for c in check_bundle(folder)]


def test_unknown_bundle_names_the_known(tmp_path, monkeypatch):
    """An unknown name is answered with the embedded ones."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BundleError) as caught:
        load_bundle("bilduings")
    assert all(name in str(caught.value) for name in ("bilduings", *list_bundles()))


def test_a_file_is_no_bundle(tmp_path):
    """A weights file given as a bundle leads to `pack`."""
    (tmp_path / "weights.pt").write_bytes(b"x")
    with pytest.raises(BundleError, match="geoseg model pack"):
        load_bundle(tmp_path / "weights.pt")


def test_the_description_stands_for_its_folder(pristine):
    """`bundle.json` itself may be named."""
    assert pristine == find_bundle(pristine / DESCRIPTION)


def test_embedded_bundles_are_sound():
    """What is delivered with geoseg passes its own checks."""
    for name in list_bundles():
        assert not [c for c in check_bundle(name) if not c.passed]
        assert sum(p.stat().st_size for p in find_bundle(name).iterdir()) <= 16_000_000


def test_an_empty_folder(tmp_path):
    """A folder without a description."""
    assert "bundle.json is missing" in refusal(tmp_path)


@pytest.mark.parametrize("name", [WEIGHTS, "card.md"])
def test_a_missing_file(folder, name):
    """A listed file is not there."""
    (folder / name).unlink()
    assert f"{name} is missing" in refusal(folder)


@pytest.mark.parametrize("name", ["evil.py", "model.pt", "more", "weights.bin"])
def test_files_that_are_not_listed(folder, name):
    """Nothing lies in a bundle that its description does not name."""
    (folder / name).write_bytes(b"")
    assert f"{name} is not listed" in refusal(folder)


def test_litter_of_file_managers_is_ignored(folder):
    """macOS puts a file into every folder it shows."""
    before = load_bundle(folder).sha256
    (folder / ".DS_Store").write_bytes(b"x")

    assert before == load_bundle(folder).sha256


@pytest.mark.parametrize("name", [WEIGHTS, "card.md", DESCRIPTION])
def test_links_are_refused(folder, tmp_path, name):
    """A link could lead anywhere."""
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    assert f"{name} is a link" in refusal(folder)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes on this system")
def test_pipes_are_refused(folder):
    """Reading a pipe would wait for ever."""
    (folder / WEIGHTS).unlink()
    os.mkfifo(folder / WEIGHTS)
    assert "no plain file" in refusal(folder)


def test_changed_bytes(folder):
    """One flipped bit in the weights."""
    data = bytearray((folder / WEIGHTS).read_bytes())
    data[-1] ^= 1
    (folder / WEIGHTS).write_bytes(data)
    assert "sha256 differs" in refusal(folder)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"format_version": 99}, "format"),
        ({"scaling": None}, "'scaling' is missing"),
        ({"surprise": 1}, "surprise"),
        ({"name": "../../etc"}, "name"),
        ({"bands": ["red"]}, "bands"),
        ({"bands": 3}, "description"),
        ({"classes": []}, "class"),
        ({"threshold": 2}, "threshold"),
        ({"patch": [100, 100]}, "multiple"),
        ({"patch": ["a", "b"]}, "whole pixels"),
        ({"overlap": [60, 60]}, "half of patch"),
        ({"has_edges": False}, "outputs"),
        ({"architecture": "os.system"}, "unknown"),
        ({"architecture": ["Unet"]}, "network"),
        ({"arguments": {"encoder_name": "hf-hub:evil/net", "in_channels": 3, "classes": 2}}, "not allowed"),
        ({"arguments": {"encoder_weights": "imagenet", "in_channels": 3, "classes": 2}}, "not allowed"),
        ({"arguments": [1]}, "description"),
        ({"scaling": {"dtype": "uint8", "gain": [1, 1, 0], "bias": [0, 0, 0]}}, "gain"),
        ({"files": {}}, "not listed under files"),
        ({"files": {WEIGHTS: "0" * 64, "../../secret.md": "0" * 64}}, "cannot be part"),
        ({"files": {WEIGHTS: "0" * 64, "run.py": "0" * 64}}, "cannot be part"),
        ({"files": {WEIGHTS: 7}}, "sha256"),
    ],
)
def test_descriptions_that_make_no_sense(folder, entries, expected):
    """Each entry is checked, and the message names it."""
    change(folder, **entries)
    assert expected in refusal(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", "[" * 200_000, '{"format_version": NaN}', "\udcff", '{"scaling": 1e999}']
)
def test_descriptions_that_are_none(folder, text):
    """Text that is no description, also one that nests too deep for the parser."""
    (folder / DESCRIPTION).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert DESCRIPTION in refusal(folder)


def test_infinite_scaling(folder):
    """1e999 is valid JSON and infinite."""
    text = (folder / DESCRIPTION).read_text()
    gain = json.loads(text)["scaling"]["gain"][0]
    (folder / DESCRIPTION).write_text(text.replace(repr(gain), "1e999"))
    assert "finite" in refusal(folder)


def test_a_description_too_large(folder):
    """Text files are capped."""
    (folder / DESCRIPTION).write_bytes(b" " * 1_000_001)
    assert "larger than" in refusal(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite(folder, value):
    """NaN weights load silently elsewhere."""
    tensors = tensors_of(folder)
    name = next(n for n in tensors if tensors[n].is_floating_point())
    tensors[name].view(-1)[0] = value
    put_weights(folder, safetensors.torch.save(tensors))
    assert f"{name} holds NaN or infinite values" in refusal(folder)


def test_weights_cut_off(folder):
    """Half a file."""
    data = (folder / WEIGHTS).read_bytes()
    put_weights(folder, data[: len(data) // 2])
    assert "damaged weights" in refusal(folder)


@pytest.mark.parametrize("data", [b"", b"abc", b"\xff" * 64, (10).to_bytes(8, "little") + b"[not json]"])
def test_weights_that_are_none(data):
    """Bytes that are no safetensors."""
    with pytest.raises(BundleError, match="damaged weights"):
        parse_weights(data, "w")


def test_an_oversized_header():
    """A header of many empty tensors would take its parser many seconds."""
    entry = b'"%d":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
    header = b"{" + b"".join(entry % i for i in range(25_000))[:-1] + b"}"
    assert len(header) > MAX_HEADER_BYTES
    with pytest.raises(BundleError, match="header takes"):
        parse_weights(len(header).to_bytes(8, "little") + header, "w")


def test_overlapping_weights():
    """safetensors' own checks stay in force."""
    entry = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
    header = json.dumps({"a": entry, "b": entry}).encode()
    with pytest.raises(BundleError, match="damaged weights"):
        parse_weights(len(header).to_bytes(8, "little") + header + bytes(4), "w")


def test_weights_of_a_strange_type():
    """Only what networks are made of."""
    with pytest.raises(BundleError, match="U8"):
        parse_weights(safetensors.torch.save({"a": torch.zeros(3, dtype=torch.uint8)}), "w")


def test_missing_and_surplus_weights(folder):
    """The message names the first of each."""
    tensors = tensors_of(folder)
    name = next(n for n in tensors if tensors[n].is_floating_point())
    tensors["extra.weight"] = tensors.pop(name)
    put_weights(folder, safetensors.torch.save(tensors))
    message = refusal(folder)
    assert f"lack {name}" in message
    assert "hold extra.weight" in message


def test_weights_of_another_shape(folder):
    """The message names both shapes."""
    tensors = tensors_of(folder)
    tensors["segmentation_head.0.bias"] = torch.zeros(7)
    put_weights(folder, safetensors.torch.save(tensors))
    assert "segmentation_head.0.bias is 7, not 2" in refusal(folder)


def test_counters_of_training_may_be_left_out(folder):
    """Inference does not use them; converters drop them."""
    tensors = {n: t for n, t in tensors_of(folder).items() if not n.endswith("num_batches_tracked")}
    expected = load_bundle(folder).network().state_dict()
    put_weights(folder, safetensors.torch.save(tensors))
    actual = load_bundle(folder).network().state_dict()

    assert all(torch.equal(expected[name], actual[name]) for name in tensors)


def test_a_network_far_too_large(folder):
    """Sizes come from the description: they are compared before memory is taken."""
    arguments = json.loads((folder / DESCRIPTION).read_text())["arguments"]
    change(folder, arguments={**arguments, "encoder_depth": 5, "decoder_use_norm": "batchnorm"})
    load_bundle(folder)
    huge = {**arguments, "decoder_channels": [4096] * 5}
    change(folder, architecture="Unet", arguments=huge)
    assert "do not fit Unet" in refusal(folder)


@pytest.mark.parametrize(
    ("architecture", "encoder"),
    [("Unet", "tu-tf_efficientnet_lite0"), ("Segformer", "mit_b0"), ("FPN", "resnet18")],
)
def test_shapes_without_memory_are_the_real_ones(architecture, encoder):
    """Names and shapes found without memory equal those of the built network, and in their order."""
    arguments = {"encoder_name": encoder, "classes": 2}
    real = build_network(architecture, arguments).state_dict()
    assert {n: tuple(t.shape) for n, t in real.items()} == expected_shapes(architecture, arguments)


def test_listing_needs_no_weights(folder):
    """A description can be shown although the weights are damaged."""
    (folder / WEIGHTS).write_bytes(b"")
    assert "test" != open_folder(folder).spec.name
