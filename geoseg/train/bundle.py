"""From a trained network to a bundle: measured, described, with a card."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor, nn

from geoseg.core import BundleSpec, Window
from geoseg.core.bundle import Precision, Scaling
from geoseg.core.files import writing
from geoseg.model.bundle import Bundle
from geoseg.model.pack import describe, write_bundle
from geoseg.train.agreement import compare_precisions
from geoseg.train.fingerprint import TrainingData
from geoseg.train.images import Part
from geoseg.train.operating_point import OperatingPoint, choose_operating_point, thresholds_of
from geoseg.train.recipe import Recipe
from geoseg.train.start import arguments_of
from geoseg.train.validation import predict_images

_PATCH, _OVERLAP = 512, 128
_COMPARED = 12
"""Patches on which bfloat16 is compared with float32."""
_LIBRARIES = ("geoseg", "torch", "lightning", "segmentation-models-pytorch", "torchvision")


def make_bundle(
    network: nn.Module, data: TrainingData, recipe: Recipe, target: Path, done: Callable[[int], None]
) -> Bundle:
    """Choose a network's operating point and write it as a bundle, which replaces an earlier one.

    The validation images are predicted by the code of ``geoseg infer`` from a draft of the bundle, whose
    weights and precision are those of the bundle itself.

    Args:
        network: in evaluation mode.
        data: what it was trained on.
        recipe: how.
        target: the bundle's folder.
        done: told how many validation images more were predicted.

    Raises:
        OutputError: the bundle cannot be written.
    """
    spec = describe_bundle(data, recipe)
    tensors = network.cpu().state_dict()
    with tempfile.TemporaryDirectory() as folder:
        draft = write_bundle(Path(folder) / "draft", spec, tensors, half=recipe.half)
        draft = replace(draft, spec=replace(spec, precision=_precision(draft, data, recipe)))
        predictions = predict_images(draft, data.valid, done)
        spec = with_operating_point(draft.spec, choose_operating_point(predictions, recipe, data.classes))
    return _replace_bundle(target, spec, tensors, card(spec, data), recipe.half)


def _replace_bundle(
    target: Path, spec: BundleSpec, tensors: Mapping[str, Tensor], text: str, half: bool
) -> Bundle:
    """The new one is whole before the old one goes, which comes back if the new one cannot take its place."""
    with writing(target), tempfile.TemporaryDirectory(prefix=".bundle-", dir=target.parent) as folder:
        bundle, old = write_bundle(Path(folder) / "new", spec, tensors, text, half), Path(folder) / "old"
        try:
            if target.exists():
                target.rename(old)
            bundle.folder.rename(target)
        except BaseException:
            if old.exists():
                old.rename(target)
            raise
    return replace(bundle, folder=target)


def with_operating_point(spec: BundleSpec, point: OperatingPoint) -> BundleSpec:
    """Return a bundle's description with what was chosen and measured on the validation images."""
    area = point.min_area_m2
    return replace(
        spec,
        threshold=point.threshold,
        min_area_m2={str(c.id): area for c in spec.classes.foreground} if area else {},
        metrics={f"validation, {point.images} images": point.metrics},
        calibration=point.calibration,
    )


def describe_bundle(data: TrainingData, recipe: Recipe) -> BundleSpec:
    """Describe the bundle, without an operating point and the digests of its files."""
    given = recipe.input
    binary = data.classes.is_binary
    return BundleSpec(
        name=recipe.name,
        architecture=recipe.network.architecture,
        arguments=arguments_of(recipe, data.classes),
        bands=given.bands,
        scaling=Scaling(
            given.dtype, given.gain, given.bias, "other-dtypes" if given.dtype == "uint8" else "never"
        ),
        classes=data.classes,
        patch=(_PATCH, _PATCH),
        overlap=(_OVERLAP, _OVERLAP),
        gsd_range_m=given.gsd_m,
        has_edges=recipe.network.edges,
        activation="sigmoid" if binary else "softmax",
        simplify_m=0.5 * given.gsd_m[0] if given.gsd_m else 0.0,
        value_range=_value_range(data),
        data=_sources(data, recipe),
        licence=recipe.licence,
        training=_provenance(data, recipe),
    )


def card(spec: BundleSpec, data: TrainingData) -> str:
    """The model card, in Markdown."""
    figures = [
        f"| {where} | {name} | {value:.3f} |"
        for where, row in spec.metrics.items()
        for name, value in row.items()
    ]
    known = data.fingerprint
    total = max(1, sum(known.pixels))
    shares = [
        f"- {name}: {n / total:.1%} of the pixels"
        for name, n in zip(known.classes, known.pixels, strict=True)
    ]
    threshold = (
        [f"A pixel counts from a probability of {spec.threshold:g}.", ""] if spec.classes.is_binary else []
    )
    lines = [
        describe(spec).rstrip(),
        "",
        "## Figures",
        "",
        "| measured on | figure | |",
        "|---|---|---|",
        *figures,
        "",
        "All pixels pooled; footprints by SpaceNet's rule at IoU 0.5, of the polygons that `geoseg infer` "
        "writes. The same images chose the threshold, the smallest area and the best epoch, so these metrics "
        "are slightly optimistic: evaluate on other images.",
        "",
        *threshold,
        f"Expected calibration error: {spec.calibration.get('ece', float('nan')):.3f}.",
        "",
        "## Trained on",
        "",
        f"{known.images[0]} images, {known.images[1]} for validation.",
        "",
        *shares,
    ]
    return "\n".join(lines) + "\n"


def _value_range(data: TrainingData) -> tuple[tuple[float, float], ...]:
    known = data.fingerprint
    return tuple(zip(known.low, known.high, strict=True))


def _sources(data: TrainingData, recipe: Recipe) -> tuple[dict[str, Any], ...]:
    rows = [
        {"name": name or "images", "licence": licence or "not stated", "use": "training and validation"}
        for name, licence in data.fingerprint.sources
    ]
    init = recipe.init
    if init is not None:
        licence = init.licence or "not stated"
        rows.append({"name": f"bundle {init.name}", "licence": licence, "use": "first weights"})
    elif recipe.network.encoder_weights is not None:
        weights = Path(recipe.network.encoder_weights).name
        rows.append({"name": f"encoder weights {weights}", "licence": "see there", "use": "first weights"})
    return tuple(rows)


def _provenance(data: TrainingData, recipe: Recipe) -> dict[str, Any]:
    """What somebody needs to train the same again."""
    return {
        "seed": recipe.seed,
        "data": list(data.fingerprint.data),
        "versions": {name: version(name) for name in _LIBRARIES},
        "recipe": recipe.to_json(),
    }


def _precision(draft: Bundle, data: TrainingData, recipe: Recipe) -> Precision:
    """Compare bfloat16 with float32 on patches from the middle of validation images."""
    sizes = data.valid.sizes
    chosen: Sequence[int] = np.linspace(0, len(sizes) - 1, min(_COMPARED, len(sizes))).astype(int).tolist()
    patches = []
    for number in chosen:
        top, left = (max(0, (length - _PATCH) // 2) for length in sizes[number])
        patches.append(_filled(data.valid.read(number, Window(top, left, _PATCH, _PATCH)), recipe))
    return compare_precisions(draft, patches, thresholds_of(recipe, data.classes)).precision()


def _filled(part: Part, recipe: Recipe) -> npt.NDArray[Any]:
    """Pixels of which those without data are the network's zero, as in training."""
    dtype = part.pixels.dtype
    zero = -np.array(recipe.input.bias) / np.array(recipe.input.gain)
    if dtype.kind != "f":
        limits = np.iinfo(dtype)
        zero = np.clip(np.rint(zero), limits.min, limits.max)
    return np.ascontiguousarray(np.where(part.valid, part.pixels, zero.astype(dtype)[:, None, None]))
