"""STAC items of the Machine Learning Model extension: written of bundles, read as recipes to pack.

The extension's version 1.5 (https://stac-extensions.github.io/mlm), STAC 1.1.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch

from geoseg.core import BundleSpec
from geoseg.errors import BundleError
from geoseg.model.bundle import Bundle
from geoseg.model.folder import MAX_TEXT_BYTES, read_plain
from geoseg.model.recipe import PackRecipe

STAC_VERSION = "1.1.0"
EXTENSIONS = (
    "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
    "https://stac-extensions.github.io/classification/v1.1.0/schema.json",
)
_ARTIFACTS = {
    "weights": (
        "safetensors.torch.save_file",
        "application/octet-stream",
        ["mlm:model", "mlm:weights", "data"],
    ),
    "onnx": ("torch.onnx.export", "application/octet-stream", ["mlm:model", "data"]),
    "xml": ("openvino.save_model", "application/xml", ["mlm:model", "data"]),
    "bin": (None, "application/octet-stream", ["mlm:weights", "data"]),
}
_TASK = "semantic-segmentation"
_ALWAYS = {"start_datetime": "1970-01-01T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}


@dataclass(frozen=True)
class Asset:
    """A file that an item names.

    Attributes:
        kind: ``weights``, ``onnx``, ``xml`` or ``bin``.
        path: of the file, beside the item.
    """

    kind: str
    path: Path


def item_of(bundle: Bundle, files: Sequence[Asset]) -> dict[str, Any]:
    """A STAC item that describes a bundle.

    Args:
        bundle: to be described.
        files: of its network, written already.
    """
    spec = bundle.spec
    properties = {
        "datetime": None,
        **_ALWAYS,
        "description": f"{spec.architecture}: {', '.join(c.name for c in spec.classes.foreground)}",
        "bands": [{"name": band} for band in spec.bands],
        "mlm:name": _name(spec.name),
        "mlm:architecture": spec.architecture,
        "mlm:tasks": [_TASK],
        "mlm:framework": "PyTorch",
        "mlm:framework_version": torch.__version__.partition("+")[0],
        "mlm:total_parameters": sum(t.numel() for t in bundle.weights.values()),
        "mlm:input": [_input(spec)],
        "mlm:output": [_output(spec)],
        "mlm:hyperparameters": _hyperparameters(spec),
    }
    if spec.licence:
        properties["license"] = spec.licence
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": list(EXTENSIONS),
        "id": spec.name,
        "geometry": None,
        "properties": properties,
        "links": [],
        "assets": {one.kind: _asset(one) for one in files},
    }


def is_item(path: Path) -> bool:
    """Whether a file is to be read as an item."""
    return path.suffix == ".json"


def read_item(path: Path) -> tuple[Path, PackRecipe]:
    """The weights that an item names, and the recipe to pack them by.

    Args:
        path: of the item; the weights lie beside it.

    Raises:
        BundleError: it is no such item, or does not say what geoseg needs.
    """
    try:
        data = json.loads(read_plain(path, MAX_TEXT_BYTES))
        properties = data["properties"]
        recipe = _recipe(properties)
        weights = _weights(data["assets"], path.parent)
    except KeyError as error:
        raise BundleError(f"{path}: the entry {error} is missing", "see the STAC MLM extension") from error
    except (ValueError, TypeError, AttributeError, IndexError, RecursionError, StopIteration) as error:
        raise BundleError(
            f"{path}: is no STAC item of a model: {error}", "see the STAC MLM extension"
        ) from error
    return weights, recipe


def _input(spec: BundleSpec) -> dict[str, Any]:
    scaling = spec.scaling
    return {
        "name": "patches",
        "bands": list(spec.bands),
        "input": {
            "shape": [-1, len(spec.bands), *spec.patch],
            "dim_order": ["batch", "bands", "height", "width"],
            "data_type": scaling.dtype,
        },
        "value_scaling": [
            {"type": "z-score", "mean": -bias / gain, "stddev": 1 / gain}
            for gain, bias in zip(scaling.gain, scaling.bias, strict=True)
        ],
        "resize_type": None,
    }


def _output(spec: BundleSpec) -> dict[str, Any]:
    return {
        "name": "logits: a channel for each class (of two classes: the second), then one for rims of objects",
        "tasks": [_TASK],
        "result": {
            "shape": [-1, spec.outputs, *spec.patch],
            "dim_order": ["batch", "class", "height", "width"],
            "data_type": "float32",
        },
        "classification:classes": [
            {"value": c.id, "name": _slug(c.name), "title": c.name, "color_hint": c.colour[1:].upper()}
            for c in spec.classes
        ],
    }


def _hyperparameters(spec: BundleSpec) -> dict[str, Any]:
    own = ("in_channels", "classes")
    return {
        "arguments": {name: value for name, value in spec.arguments.items() if name not in own},
        "activation": spec.activation,
        "has_edges": spec.has_edges,
        "threshold": spec.threshold,
        "stretch": spec.scaling.stretch,
        "overlap": list(spec.overlap),
        "patch_multiple": spec.patch_multiple,
        "gsd_range_m": None if spec.gsd_range_m is None else list(spec.gsd_range_m),
    }


def _asset(one: Asset) -> dict[str, Any]:
    artifact, media, roles = _ARTIFACTS[one.kind]
    data = one.path.read_bytes()
    asset: dict[str, Any] = {
        "href": f"./{one.path.name}",
        "type": media,
        "roles": roles,
        "file:size": len(data),
        "file:checksum": "1220" + hashlib.sha256(data).hexdigest(),  # a multihash: SHA2-256, 32 bytes
    }
    return asset if artifact is None else asset | {"mlm:artifact_type": artifact}


def _recipe(properties: Mapping[str, Any]) -> PackRecipe:
    given, wanted = properties["mlm:input"][0], properties["mlm:output"][0]
    more = dict(properties.get("mlm:hyperparameters", {}))
    bands = tuple(band if isinstance(band, str) else band["name"] for band in given["bands"])
    mean, std = _scaling(given.get("value_scaling"), len(bands))
    shape = given["input"]["shape"]
    classes = sorted(wanted["classification:classes"], key=lambda one: int(one["value"]))
    values = {name: more[name] for name in _OWN if more.get(name) is not None}
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
    return PackRecipe(
        name=str(properties["mlm:name"]),
        architecture=str(properties["mlm:architecture"]),
        bands=bands,
        classes=tuple(_class_text(one) for one in classes[1:]),
        mean=mean,
        std=std,
        max_value=1.0,
        dtype=str(given["input"]["data_type"]),
        patch=(int(shape[-2]), int(shape[-1])),
        licence=str(properties.get("license", "")),
        **values,
    )


_OWN = (
    "arguments",
    "activation",
    "has_edges",
    "threshold",
    "stretch",
    "overlap",
    "patch_multiple",
    "gsd_range_m",
)


def _scaling(scaling: Any, bands: int) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and deviation per band; one entry stands for all.

    Raises:
        ValueError: values are scaled in a way that geoseg does not know.
    """
    entries = list(scaling or [{"type": "z-score", "mean": 0.0, "stddev": 1.0}])
    entries = entries * bands if len(entries) == 1 else entries
    if len(entries) != bands:
        raise ValueError(f"{len(entries)} scalings for {bands} bands")
    pairs = []
    for one in entries:
        if one["type"] == "z-score":
            pairs.append((float(one["mean"]), float(one["stddev"])))
        elif one["type"] == "min-max":
            pairs.append((float(one["minimum"]), float(one["maximum"]) - float(one["minimum"])))
        else:
            raise ValueError(f"value_scaling of type {one['type']!r}; z-score and min-max are known")
    return tuple(mean for mean, _ in pairs), tuple(std for _, std in pairs)


def _weights(assets: Mapping[str, Any], folder: Path) -> Path:
    """The file of weights, beside the item.

    Raises:
        ValueError: there is none, or it lies elsewhere.
    """
    known = [
        a
        for a in assets.values()
        if "mlm:model" in a["roles"] and a["href"].endswith((".safetensors", ".pth", ".pt"))
    ]
    if not known:
        raise ValueError("no asset is a file of weights (.safetensors, .pth, .pt)")
    href = str(known[0]["href"])
    name = PurePosixPath(href)
    if ":" in href or name.is_absolute() or ".." in name.parts or len(name.parts) != 1:
        raise ValueError(f"the weights {href} do not lie beside the item")
    return folder / name.name


def _class_text(one: Mapping[str, Any]) -> str:
    name, colour = str(one.get("title") or one["name"]), one.get("color_hint")
    return f"{name} #{colour}" if colour else name


def _name(text: str) -> str:
    """As the schema wants it: three characters and more, a letter first."""
    slug = re.sub(r"[^a-zA-Z0-9_.\s-]", "-", text).strip("-._ ")
    return slug if re.fullmatch(r"[a-zA-Z].+[a-zA-Z0-9]", slug) else f"model-{slug or 0}"


def _slug(text: str) -> str:
    return re.sub(r"[^0-9A-Za-z_-]", "-", text)
