"""Bundles for other programs: ONNX, OpenVINO, and a STAC item that describes them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray

from geoseg.core.files import PendingFile, make_folder, write_json, writing
from geoseg.errors import BundleError, ResourceError
from geoseg.model.bundle import Bundle
from geoseg.model.graph import ProbabilityGraph
from geoseg.model.mlm import Asset, item_of
from geoseg.model.openvino_graph import INPUT, OUTPUT, openvino, to_openvino
from geoseg.model.openvino_predictor import shared_core
from geoseg.model.patch_plan import plan_patches
from geoseg.runtime.temporary import quiet_logger, without_warnings

try:
    import onnx
except ImportError:
    onnx = None  # type: ignore[assignment]

FORMATS = ("onnx", "openvino", "mlm")
TOLERANCE = 1e-4
"""How far an exported network's probabilities may be from torch's."""
_OPSET = 18


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: the file.
        difference: largest difference of probabilities from torch's, on random patches; None where nothing
            was computed.
    """

    path: Path
    difference: float | None = None


def export_bundle(
    bundle: Bundle, folder: Path, formats: tuple[str, ...] = FORMATS, overwrite: bool = False
) -> list[Exported]:
    """Write a bundle's network for other programs, checked against torch.

    The networks take patches of the bundle's size, float32 ``(batch, bands, height, width)``, with the values
    of the bundle's data type; scaling is inside. They answer with probabilities.

    Args:
        bundle: to be exported.
        folder: for the files; made where it is missing.
        formats: some of :data:`FORMATS`.
        overwrite: replace files.

    Raises:
        ResourceError: a library is not installed.
        BundleError: the network cannot be expressed in a format, or answers otherwise there.
        OutputError: a file exists or cannot be written.
    """
    make_folder(folder)
    spec = bundle.spec
    graph = ProbabilityGraph(bundle.network(), plan_patches(spec, spec.patch, spec.scaling.dtype)).eval()
    sample = _sample(bundle)
    with torch.inference_mode():
        expected = graph(torch.from_numpy(sample)).numpy()
    found = []
    if "onnx" in formats:
        path = folder / f"{spec.name}.onnx"
        _write(path, overwrite, lambda target: _to_onnx(graph, sample, target))
        found.append(_checked(path, sample, expected))
    if "openvino" in formats:
        found.append(
            _checked(_write_openvino(graph, sample, folder / f"{spec.name}.xml", overwrite), sample, expected)
        )
    if "mlm" in formats:
        found += _describe(bundle, folder, [one.path for one in found], overwrite)
    return found


def _describe(bundle: Bundle, folder: Path, networks: list[Path], overwrite: bool) -> list[Exported]:
    """The weights as they are, and the item that names all files."""
    weights = folder / f"{bundle.spec.name}.safetensors"
    _write(weights, overwrite, lambda target: _write_weights(bundle, target))
    files = [Asset("weights", weights), *(Asset(path.suffix.lstrip("."), path) for path in networks)]
    files += [Asset("bin", p.with_suffix(".bin")) for p in networks if p.suffix == ".xml"]
    item = folder / f"{bundle.spec.name}.json"
    write_json(item, item_of(bundle, files), overwrite)
    return [Exported(weights), Exported(item)]


def _write_weights(bundle: Bundle, target: Path) -> None:
    target.write_bytes(safetensors.torch.save(dict(bundle.weights)))  # save_file makes a private file


def _sample(bundle: Bundle) -> NDArray[np.float32]:
    """A random patch in the range of the training images."""
    spec, rng = bundle.spec, np.random.default_rng(0)
    pairs = spec.value_range or ((0.0, 255.0),) * len(spec.bands)
    low, high = (np.array(values)[None, :, None, None] for values in zip(*pairs, strict=True))
    unit = rng.random((1, len(spec.bands), *spec.patch))
    return np.asarray((low + unit * (high - low)).round(), np.float32)


def _to_onnx(graph: ProbabilityGraph, sample: NDArray[np.float32], target: Path) -> None:
    if onnx is None:
        raise ResourceError("onnx is not installed", "pip install '.[onnx]' in the clone's folder")
    with _quietly():
        program = torch.onnx.export(
            graph,
            (torch.from_numpy(sample),),
            input_names=[INPUT],
            output_names=[OUTPUT],
            opset_version=_OPSET,
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=1024)},),
            verbose=False,
        )
        assert program is not None
        program.save(str(target), external_data=False)
    onnx.checker.check_model(str(target))


def _write_openvino(
    graph: ProbabilityGraph, sample: NDArray[np.float32], target: Path, overwrite: bool
) -> Path:
    """The XML file; the weights lie beside it."""
    if openvino is None:
        raise ResourceError("openvino is not installed", "pip install openvino")
    model = to_openvino(graph, torch.from_numpy(sample), [-1, *sample.shape[1:]])
    with PendingFile(target, overwrite) as xml, PendingFile(target.with_suffix(".bin"), overwrite) as weights:
        with writing(target, RuntimeError):
            openvino.serialize(model, str(xml.temp), str(weights.temp))
        weights.commit()
        xml.commit()
    return target


def _checked(path: Path, sample: NDArray[np.float32], expected: NDArray[np.float32]) -> Exported:
    """Run a written network by OpenVINO, which reads both formats, and compare.

    Raises:
        BundleError: it answers otherwise than torch does.
    """
    if openvino is None:
        raise ResourceError("openvino is not installed: the export cannot be checked", "pip install openvino")
    compiled = shared_core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    actual = next(iter(compiled(sample).values()))
    difference = float(np.abs(actual - expected).max())
    if actual.shape != expected.shape or not difference <= TOLERANCE:
        path.unlink()
        raise BundleError(f"{path.name}: the exported network differs from torch by {difference:.2g}")
    return Exported(path, difference)


def _write(path: Path, overwrite: bool, write: Callable[[Path], None]) -> None:
    with PendingFile(path, overwrite) as pending:
        with writing(path):
            write(pending.temp)
        pending.commit()


@contextmanager
def _quietly() -> Iterator[None]:
    """Without the exporters' remarks."""
    with quiet_logger("torch.onnx")(), without_warnings():
        yield
