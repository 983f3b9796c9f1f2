"""Packing: a user's own weights, from files that may be hostile, to a folder whole or not at all."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path

import pytest
import safetensors.torch
import torch

from geoseg.errors import BundleError, OptionError, OutputError
from geoseg.model.bundle import load_bundle
from geoseg.model.checkpoint import match_names, read_weights
from geoseg.model.networks import build_network
from geoseg.model.pack import pack_bundle
from geoseg.model.recipe import IMAGENET_MEAN, IMAGENET_STD, PackRecipe
from tests.support import SMALL_ENCODER

RECIPE = PackRecipe(
    "mine", "Linknet", {"encoder_name": SMALL_ENCODER}, classes=("road",), patch=(64, 64), overlap=(16, 16)
)


@pytest.fixture(scope="module")
def network():
    """A small network with one output."""
    torch.manual_seed(1)
    return build_network("Linknet", {"encoder_name": SMALL_ENCODER, "in_channels": 3, "classes": 1})


@pytest.fixture(scope="module")
def state(network):
    """Its weights by name."""
    return network.state_dict()


def save(path, content):
    torch.save(content, path)
    return path


def prefixed(state, prefix):
    return {prefix + name: tensor for name, tensor in state.items()}


def nothing_left(folder):
    """The target is not there, nor any temporary folder."""
    return [] == [p for p in folder.iterdir() if p.is_dir()]


def test_safetensors_are_packed(tmp_path, state):
    """Weights arrive unchanged, and the folder loads."""
    safetensors.torch.save_file(state, tmp_path / "w.safetensors")
    bundle = pack_bundle(tmp_path / "w.safetensors", tmp_path / "mine", RECIPE)
    assert load_bundle(tmp_path / "mine") == bundle
    assert all(torch.equal(state[n].float(), t.float()) for n, t in bundle.weights.items())
    assert ["bundle.json", "card.md", "weights.safetensors"] == sorted(
        p.name for p in (tmp_path / "mine").iterdir()
    )
    assert ["mine", "w.safetensors"] == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        lambda s: {"state_dict": s, "epoch": 3},
        lambda s: {"model": s, "optimizer": {"lr": 0.1}},
        lambda s: {"model_state_dict": prefixed(s, "module.")},
        lambda s: {"state_dict": {**prefixed(s, "model."), "loss.weight": torch.ones(2)}},
        lambda s: prefixed(s, "module.model."),
        lambda s: {"state_dict": prefixed(s, "model._orig_mod.")},
    ],
)
def test_checkpoints_as_trainers_write_them(tmp_path, state, wrap):
    """Wrappers and prefixes of the common trainers are seen through."""
    path = save(tmp_path / "last.ckpt", wrap(state))
    bundle = pack_bundle(path, tmp_path / "mine", RECIPE)
    assert set(state) == set(bundle.weights)


def test_half_precision(tmp_path, state):
    """Stored in 16 bits, the file is half as large."""
    path = save(tmp_path / "w.pt", state)
    pack_bundle(path, tmp_path / "full", RECIPE)
    pack_bundle(path, tmp_path / "half", PackRecipe(**{**RECIPE.to_json(), "half": True}))
    full, half = ((tmp_path / n / "weights.safetensors").stat().st_size for n in ("full", "half"))
    assert half < 0.6 * full


def test_half_precision_has_a_range(tmp_path, state):
    """A value that does not fit 16 bits is an error, not infinity."""
    large = {**state, "segmentation_head.0.bias": torch.full((1,), 1e6)}
    with pytest.raises(BundleError, match="too large for 16 bits"):
        pack_bundle(
            save(tmp_path / "w.pt", large),
            tmp_path / "half",
            PackRecipe(**{**RECIPE.to_json(), "half": True}),
        )
    assert nothing_left(tmp_path)


def test_the_wrong_network(tmp_path, state):
    """The message names the first weights that do not fit, and nothing is left behind."""
    path = save(tmp_path / "w.pt", state)
    with pytest.raises(BundleError, match=r"do not fit Unet: they lack"):
        pack_bundle(path, tmp_path / "mine", PackRecipe(**{**RECIPE.to_json(), "architecture": "Unet"}))
    with pytest.raises(BundleError, match=r"segmentation_head.0.weight is 1x\d+x1x1, not 3x\d+x1x1"):
        pack_bundle(path, tmp_path / "mine", PackRecipe(**{**RECIPE.to_json(), "classes": ("a", "b")}))
    assert nothing_left(tmp_path)


def test_nan_weights(tmp_path, state):
    """NaN is refused when packing already."""
    bad = {**state, "segmentation_head.0.bias": torch.full((1,), float("nan"))}
    with pytest.raises(BundleError, match=r"segmentation_head\.0\.bias holds values that are NaN"):
        pack_bundle(save(tmp_path / "w.pt", bad), tmp_path / "mine", RECIPE)
    assert nothing_left(tmp_path)


def test_an_existing_folder_is_kept(tmp_path, state):
    """Packing never writes over anything."""
    (tmp_path / "mine").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        pack_bundle(save(tmp_path / "w.pt", state), tmp_path / "mine", RECIPE)


def test_a_failure_leaves_nothing(tmp_path, state, monkeypatch):
    """A disk that is full at the last step."""

    def full(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "rename", full)
    with pytest.raises(OutputError, match="No space left"):
        pack_bundle(save(tmp_path / "w.pt", state), tmp_path / "mine", RECIPE)
    assert nothing_left(tmp_path)


class Canary:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


@pytest.mark.parametrize("protocol", [2, 4])
def test_pickled_code_does_not_run(tmp_path, state, protocol, monkeypatch):
    """Neither by default nor when the environment tells torch to trust every file."""
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    canary, path = tmp_path / "canary", tmp_path / "w.pt"
    torch.save({**state, "x": Canary(canary)}, path, pickle_protocol=protocol)
    with pytest.raises(BundleError, match="run"):
        pack_bundle(path, tmp_path / "mine", RECIPE)
    assert not canary.exists()
    pack_bundle(path, tmp_path / "mine", RECIPE, trust=True)
    assert canary.exists()


def test_a_bare_pickle_is_refused(tmp_path):
    """Also with trust: geoseg reads what torch wrote."""
    canary, path = tmp_path / "canary", tmp_path / "w.pkl"
    path.write_bytes(pickle.dumps(Canary(canary)))
    for trust in (False, True):
        with pytest.raises(BundleError, match="neither safetensors nor a checkpoint"):
            read_weights(path, trust)
    assert not canary.exists()


def test_whole_modules_need_trust(tmp_path, network, state):
    """A pickled module runs its class's code."""
    path = save(tmp_path / "w.pt", network)
    with pytest.raises(BundleError, match="--trust"):
        read_weights(path)
    assert set(state) == set(read_weights(path, trust=True))


def test_torchscript_needs_trust(tmp_path, state):
    """TorchScript is a program."""
    torch.jit.script(torch.nn.Linear(2, 1)).save(str(tmp_path / "w.pt"))
    with pytest.raises(BundleError, match="is a program"):
        read_weights(tmp_path / "w.pt")
    assert {"weight", "bias"} == set(read_weights(tmp_path / "w.pt", trust=True))


def test_exported_programs_are_refused(tmp_path):
    """`torch.export.load` runs code."""
    program = torch.export.export(torch.nn.Linear(2, 1), (torch.zeros(1, 2),))
    torch.export.save(program, str(tmp_path / "w.pt2"))
    with pytest.raises(BundleError, match="which is not read"):
        read_weights(tmp_path / "w.pt2")


def test_a_tensor_larger_than_its_file(tmp_path, state):
    """1.5 KB can declare 10^11 elements: shapes are compared before anything is computed."""
    bomb = {**state, "segmentation_head.0.bias": torch.zeros(1).expand(10**11)}
    with pytest.raises(BundleError, match="is 100000000000, not 1"):
        pack_bundle(save(tmp_path / "w.pt", bomb), tmp_path / "mine", RECIPE)


def rezip(data, change=lambda name, content: content, compression=zipfile.ZIP_STORED):
    """A checkpoint's bytes with entries changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", compression) as new:
        for member in old.infolist():
            new.writestr(member.filename, change(member.filename, old.read(member)))
    return out.getvalue()


def checkpoint_bytes(content):
    out = io.BytesIO()
    torch.save(content, out)
    return out.getvalue()


def test_a_compressed_bomb(tmp_path):
    """16 MB of zeros in 16 KB."""
    data = rezip(checkpoint_bytes({"a": torch.zeros(4_000_000)}), compression=zipfile.ZIP_DEFLATED)
    assert len(data) < 100_000
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(BundleError, match="never compresses"):
        read_weights(tmp_path / "w.pt")


def test_a_pickle_that_only_asks_for_memory(tmp_path):
    """`bytearray(10**11)` is allowed by `weights_only`, and takes 100 GB."""
    call = b"\x80\x02cbuiltins\nbytearray\n\x8a\x06" + (10**11).to_bytes(6, "little") + b"\x85R."
    data = rezip(checkpoint_bytes({"a": torch.zeros(1)}), lambda n, c: call if n.endswith("data.pkl") else c)
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(BundleError, match=r"builtins\.bytearray"):
        read_weights(tmp_path / "w.pt")


def test_a_storage_larger_than_its_record(tmp_path):
    """Four numbers that claim to be two thousand million."""
    data = rezip(
        checkpoint_bytes({"a": torch.zeros(4)}),
        lambda n, c: c.replace(b"K\x04tq", b"J\x00\x94\x35\x77tq") if n.endswith("data.pkl") else c,
    )
    (tmp_path / "w.pt").write_bytes(data)
    with pytest.raises(BundleError, match="cannot be read"):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_cut_off_checkpoints(tmp_path, state, keep):
    """A download that stopped."""
    data = checkpoint_bytes(state)
    (tmp_path / "w.pt").write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(BundleError):
        read_weights(tmp_path / "w.pt")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_checkpoints_without_weights(tmp_path, content):
    """The message says what is there instead."""
    with pytest.raises(BundleError, match="no weights by name"):
        read_weights(save(tmp_path / "w.pt", content))


def test_names_are_left_alone_where_they_fit():
    """A network may have a part called `model`."""
    tensors = {"model.a": torch.zeros(1), "b": torch.zeros(1)}
    assert tensors == match_names(tensors, ["model.a", "b"])
    assert tensors == match_names(tensors, ["c"])


def test_recipe_scaling():
    """Mean and deviation become gain and bias for stored values."""
    scaling = RECIPE.spec().scaling
    for value, mean, std, gain, bias in zip(
        (0, 128, 255), IMAGENET_MEAN, IMAGENET_STD, scaling.gain, scaling.bias, strict=True
    ):
        assert pytest.approx((value / 255 - mean) / std) == value * gain + bias


def test_recipe_from_a_file(tmp_path):
    """A recipe survives the way through JSON."""
    (tmp_path / "r.json").write_text(json.dumps(RECIPE.to_json()))
    assert RECIPE.spec() == PackRecipe.read(tmp_path / "r.json").spec()
    (tmp_path / "r.json").write_text('{"name": "x", "bandz": 3}')
    with pytest.raises(BundleError, match="bandz"):
        PackRecipe.read(tmp_path / "r.json")
    with pytest.raises(BundleError, match="missing"):
        PackRecipe.read(tmp_path / "none.json")


@pytest.mark.parametrize(
    "wrong", [{"classes": ()}, {"std": (0, 1, 1)}, {"mean": (0.5,)}, {"threshold": 7}, {"activation": "relu"}]
)
def test_recipes_that_make_no_sense(wrong):
    """One line each."""
    with pytest.raises(OptionError, match="recipe of mine"):
        PackRecipe(**{**RECIPE.to_json(), **wrong}).spec()


def test_recipe_colours():
    """Colours may be given with the names."""
    classes = PackRecipe("m", "Unet", classes=("road", "open water #0000FF")).spec().classes
    assert [("background", 0), ("road", 1), ("open water", 2)] == [(c.name, c.id) for c in classes]
    assert "#0000FF" == classes[2].colour
