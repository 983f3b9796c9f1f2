"""Predictors: every runtime gives what the network gives, whatever the order of work."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import sys
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.core import Band, GeoGrid, Machine, NetworkOptions, SceneInfo, SegmentOptions, make_plan
from geoseg.core.plan import InputScaling
from geoseg.errors import ResourceError
from geoseg.model import openvino_predictor
from geoseg.model import predictor as making
from geoseg.model.bundle import load_bundle
from geoseg.model.graph import ProbabilityGraph
from geoseg.model.openvino_predictor import OpenVinoPredictor, convert
from geoseg.model.predictor import NEEDS, Predictors, make_predictor
from geoseg.model.torch_predictor import TorchPredictor
from tests.conftest import ROOT
from tests.support import make_test_bundle

needs_openvino = pytest.mark.skipif(not openvino_predictor.is_installed(), reason="OpenVINO is not installed")
RUNTIMES = ["torch", pytest.param("openvino", marks=needs_openvino)]
PRECISIONS = [
    ("torch", "fp32"),
    pytest.param(("openvino", "fp32"), marks=needs_openvino),
    pytest.param(("openvino", "bf16"), marks=needs_openvino),
]
GRID = GeoGrid(256, 256, (0.5, 0.0, 0.0, 0.0, -0.5, 0.0), "")


def plan_for(spec, *, runtime="torch", precision="fp32", dtype="uint8", patch=(64, 64), **changes):
    bands = tuple(Band(i + 1, name, name) for i, name in enumerate(spec.bands))
    options = SegmentOptions(network=NetworkOptions(patch=patch, overlap=(16, 16), batch=3))
    machine = Machine("cpu", "test", runtime, True, 2, 8_000_000_000)
    plan, _ = make_plan(SceneInfo("scene", GRID, bands, dtype), spec, options, machine)
    return replace(plan, precision=precision, **changes)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Small networks beside other busy processes: torch's threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    """One class, with edges."""
    folder = tmp_path_factory.mktemp("bundles") / "binary"
    return load_bundle(make_test_bundle(folder, has_edges=True))


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Three classes and the background, with edges, of four bands."""
    folder = tmp_path_factory.mktemp("bundles") / "many"
    recipe = {"bands": ("red", "green", "blue", "nir"), "mean": (0.5,) * 4, "std": (0.2,) * 4}
    return load_bundle(make_test_bundle(folder, classes=("a", "b", "c"), has_edges=True, **recipe))


def patches_for(bundle, count=3, patch=(64, 64), dtype="uint8", seed=0):
    limits = np.iinfo(dtype)
    shape = (count, len(bundle.spec.bands), *patch)
    return np.random.default_rng(seed).integers(limits.min, limits.max, shape, dtype, endpoint=True)


def oracle(bundle, patches, scaling, activation):
    """Scaling and activations in NumPy, in double precision; the network in torch."""
    values = patches.astype(np.float64)
    column = (1, -1, 1, 1)
    if scaling.low is not None:
        values = np.clip(values, np.reshape(scaling.low, column), np.reshape(scaling.high, column))
    values = values * np.reshape(scaling.gain, column) + np.reshape(scaling.bias, column)
    with torch.inference_mode():
        logits = bundle.network()(torch.from_numpy(values.astype(np.float32))).numpy().astype(np.float64)
    sigmoid = 1 / (1 + np.exp(-logits))
    if activation == "sigmoid":
        return sigmoid
    scores = np.exp(logits[:, : len(bundle.spec.classes)])
    return np.concatenate([scores / scores.sum(1, keepdims=True), sigmoid[:, len(bundle.spec.classes) :]], 1)


@pytest.fixture(scope="module")
def predictor_of(binary):
    """Makes a predictor of the binary bundle, each only once: converting takes a second."""
    made = {}

    def get(plan):
        key = json.dumps(plan.to_json(), sort_keys=True)
        if key not in made:
            made[key] = make_predictor(binary, plan)
        return made[key]

    return get


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("name", ["binary", "many"])
def test_probabilities_equal_the_oracle(request, name, runtime):
    """float32 of the described shape, within 1e-4 of NumPy's scaling and activations."""
    bundle = request.getfixturevalue(name)
    plan = plan_for(bundle.spec, runtime=runtime)
    patches = patches_for(bundle)
    result = make_predictor(bundle, plan).predict(patches)
    assert (np.dtype("f4"), (3, plan.outputs, 64, 64)) == (result.dtype, result.shape)
    expected = oracle(bundle, patches, plan.scaling, plan.activation)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    if name == "many":
        np.testing.assert_allclose(result[:, :4].sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("runtime", RUNTIMES)
@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint16", "int32", "float64"])
def test_every_dtype_is_read(binary, predictor_of, runtime, dtype):
    """Patches come in the scene's own dtype."""
    values = patches_for(binary, dtype="int8").clip(0)
    plan = plan_for(binary.spec, runtime=runtime, dtype=dtype, scaling=plan_for(binary.spec).scaling)
    expected = oracle(binary, values, plan.scaling, "sigmoid")
    result = predictor_of(plan).predict(values.astype(dtype))
    np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("chosen", PRECISIONS)
def test_a_stretch_is_applied_in_full_precision(binary, predictor_of, chosen):
    """uint16 values between 10,000 and 11,000: 16-bit arithmetic would leave a handful of levels."""
    runtime, precision = chosen
    base = patches_for(binary)
    gain, bias = binary.spec.scaling.gain, binary.spec.scaling.bias
    stretch = InputScaling(
        (10_000.0,) * 3,
        (11_020.0,) * 3,
        tuple(g / 4 for g in gain),
        tuple(b - g * 2500 for g, b in zip(gain, bias, strict=True)),
        (0.0,) * 3,
    )
    plain = plan_for(binary.spec, runtime=runtime, precision=precision)
    stretched = replace(plain, dtype="uint16", scaling=stretch)
    expected = predictor_of(plain).predict(base)
    result = predictor_of(stretched).predict(10_000 + base.astype("uint16") * 4)
    np.testing.assert_allclose(result, expected, atol=1e-3 if precision == "fp32" else 0.02)
    outside = np.where(base == 0, 3, 10_000 + base.astype("uint16") * 4).astype("uint16")
    clipped = predictor_of(stretched).predict(outside)
    np.testing.assert_array_equal(result, clipped)


@pytest.mark.parametrize("chosen", PRECISIONS)
def test_a_patch_gives_the_same_bytes_anywhere(binary, predictor_of, chosen):
    """Law 4: wherever it stands in its batch and in the stream, and however long the batch is."""
    runtime, precision = chosen
    predictor = predictor_of(plan_for(binary.spec, runtime=runtime, precision=precision))
    patches = patches_for(binary, 7)
    alone = predictor.predict(patches[[0, 1, 2]])[0].tobytes()
    for order in itertools.permutations([0, 3, 5]):
        assert alone == predictor.predict(patches[list(order)])[order.index(0)].tobytes()
    batches = [patches[[1, 2, 3]], patches[[4, 0, 5]], patches[[0, 0, 6]], patches[[6, 1, 0]]] * 2
    results = [result.copy() for result in predictor.stream(iter(batches))]
    places = [(1, 1), (2, 0), (2, 1), (3, 2), (5, 1), (6, 0), (7, 2)]
    assert {alone} == {results[batch][place].tobytes() for batch, place in places}


@pytest.mark.parametrize("runtime", RUNTIMES)
@settings(max_examples=10)
@given(delays=st.lists(st.sampled_from([0.0, 0.002]), min_size=0, max_size=9), reuse=st.booleans())
def test_streams_keep_their_order(predictors, runtime, delays, reuse):
    """Whatever the pace of reader and consumer, and also where the reader reuses its array."""
    predictor, batches, expected = predictors[runtime]
    array = np.empty_like(batches[0])

    def read():
        for index, delay in enumerate(delays):
            time.sleep(delay)
            if reuse:
                np.copyto(array, batches[index])
            yield array if reuse else batches[index]

    count = 0
    for index, result in enumerate(predictor.stream(read())):
        time.sleep(delays[index] / 2)
        np.testing.assert_array_equal(result, expected[index])
        count += 1
    assert len(delays) == count


@pytest.fixture(scope="module")
def predictors(binary, predictor_of):
    """Per runtime: a predictor, nine batches, and what comes of each."""
    batches = [patches_for(binary, seed=seed) for seed in range(9)]
    found = {}
    for runtime in ["torch", *(["openvino"] if openvino_predictor.is_installed() else [])]:
        predictor = predictor_of(plan_for(binary.spec, runtime=runtime))
        found[runtime] = (predictor, batches, [predictor.predict(batch).copy() for batch in batches])
    return found


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_a_stream_may_be_given_up(predictors, runtime):
    """The predictor works on after a consumer stopped early, or its reader failed."""
    predictor, batches, expected = predictors[runtime]
    stream = predictor.stream(iter(batches))
    next(stream)
    del stream

    def failing():
        yield batches[0]
        yield batches[1]
        raise OSError("the disk went away")

    with pytest.raises(OSError, match="went away"):
        list(predictor.stream(failing()))
    np.testing.assert_array_equal(expected[3], predictor.predict(batches[3]))


def turns(array):
    """The eight orientations, spelled out."""
    for k in range(4):
        yield np.rot90(array, k, axes=(-2, -1)), lambda a, k=k: np.rot90(a, -k, axes=(-2, -1))
        yield (
            np.rot90(array, k, axes=(-2, -1))[..., ::-1],
            lambda a, k=k: np.rot90(a[..., ::-1], -k, axes=(-2, -1)),
        )


@pytest.mark.parametrize("patch", [(64, 64), (64, 96)])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_augmentation_is_the_mean_of_eight(binary, predictor_of, runtime, patch):
    """Flips and rotations, undone, averaged; patches need not be square."""
    plan = plan_for(binary.spec, runtime=runtime, patch=patch)
    patches = patches_for(binary, patch=patch)
    results = []
    for view, undo in turns(patches):
        turned = replace(plan, patches=plan_for(binary.spec, patch=view.shape[2:]).patches)
        results.append(undo(predictor_of(turned).predict(np.ascontiguousarray(view))))
    predictor = make_predictor(binary, replace(plan, tta=True))
    np.testing.assert_allclose(predictor.predict(patches), np.mean(results, 0), atol=1e-5)
    batches = [patches, patches[::-1].copy()]
    for batch, result in zip(batches, predictor.stream(iter(batches)), strict=True):
        np.testing.assert_array_equal(predictor.predict(batch), result)


@needs_openvino
def test_cores_change_no_byte(binary, predictor_of):
    """The same patch on one core and on several."""
    plan = plan_for(binary.spec, runtime="openvino")
    graph = ProbabilityGraph(binary.network(), plan).eval()
    patches = patches_for(binary)
    one = OpenVinoPredictor(convert(graph, plan, (64, 64)), plan, (64, 64), 1).predict(patches)
    np.testing.assert_array_equal(one, predictor_of(plan).predict(patches))


def test_smaller_batches_are_taken(binary):
    """The engine halves a batch where memory is short."""
    predictor = make_predictor(binary, plan_for(binary.spec))
    patches = patches_for(binary)
    np.testing.assert_allclose(predictor.predict(patches)[:1], predictor.predict(patches[:1]), atol=1e-5)


def test_torch_in_bf16_is_near(binary):
    """The path of GPUs, run on the CPU: autocast for the network alone."""
    plan = plan_for(binary.spec, precision="bf16")
    result = TorchPredictor(ProbabilityGraph(binary.network(), plan).eval(), plan).predict(
        patches_for(binary)
    )
    assert np.dtype("f4") == result.dtype
    expected = oracle(binary, patches_for(binary), plan.scaling, "sigmoid")
    assert np.abs(result - expected).mean() < 0.02


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_gpu_gives_the_same(binary, precision):
    """Patches to the device, probabilities on it."""
    plan = plan_for(binary.spec, device="cuda", precision=precision)
    result = make_predictor(binary, plan).predict(patches_for(binary))
    assert ("cuda", torch.float32) == (result.device.type, result.dtype)
    expected = oracle(binary, patches_for(binary), plan.scaling, "sigmoid")
    assert np.abs(result.cpu().numpy() - expected).mean() < (1e-4 if precision == "fp32" else 0.02)


def test_a_plan_from_another_machine(binary, monkeypatch):
    """A plan that asks for OpenVINO is not run with something else."""
    monkeypatch.setattr(openvino_predictor, "openvino", None)
    with pytest.raises(ResourceError, match="OpenVINO"):
        make_predictor(binary, plan_for(binary.spec, runtime="openvino"))


SIGNALS = """
import gc, signal, subprocess, sys
from geoseg.model import openvino_predictor as room
from tests.model.test_predictor import plan_for
from geoseg.model.bundle import load_bundle
from geoseg.model.graph import ProbabilityGraph

bundle = load_bundle(sys.argv[1])
plan = plan_for(bundle.spec, runtime="openvino")
made = [room.has_bf16()]
for _ in range(3):
    model = room.convert(ProbabilityGraph(bundle.network(), plan).eval(), plan, (64, 64))
    made.append(room.OpenVinoPredictor(model, plan, (64, 64), 1))
while made:
    made.pop(0)
    gc.collect()
signal.signal(signal.SIGCHLD, lambda number, frame: print("heard"))
subprocess.run([sys.executable, "-c", ""])
"""


@needs_openvino
def test_signals_are_safe_when_predictors_are_gone(binary):
    """In whatever order: a signal that Python handles does not end the process."""
    words = [sys.executable, "-c", SIGNALS, str(binary.folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout == "heard\n"


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_scenes_that_need_the_same_share_a_predictor(binary, monkeypatch, runtime):
    """It is made again for another scaling, batch, patch or data type, and for nothing else."""
    made = []
    make = making.make_predictor
    monkeypatch.setattr(making, "make_predictor", lambda *what: made.append(what) or make(*what))
    bundle = binary
    plan, kept = plan_for(bundle.spec, runtime=runtime), Predictors()
    first = kept.get(bundle, plan)
    scaling = replace(plan.scaling, gain=tuple(2 * gain for gain in plan.scaling.gain))

    assert kept.get(bundle, replace(plan, collar=((0.0, 0.0, 0.0),), threshold_level=7)) is first
    for change in ({"scaling": scaling}, {"batch": 5}, {"dtype": "uint16"}, {"tta": True}):
        other = replace(plan, **change)
        patch = np.full((1, len(plan.bands), 64, 64), 100, other.dtype)
        expected = make(bundle, other).predict(patch)
        assert np.array_equal(kept.get(bundle, other).predict(patch), expected)
    kept.get(bundle, plan_for(bundle.spec, runtime=runtime, patch=(96, 64)))
    assert len(made) == 6
    assert kept.forget()
    assert not kept.has(bundle, plan)


def test_all_that_a_predictor_takes_from_a_plan_is_known():
    """Else scenes that need different ones would share one."""
    folder = ROOT / "geoseg" / "model"
    names = ("predictor", "graph", "openvino_predictor", "torch_predictor", "augmented")
    source = "".join((folder / f"{name}.py").read_text(encoding="utf-8") for name in names)

    assert set(re.findall(r"\bplan\.(\w+)", source)) <= set(NEEDS)
