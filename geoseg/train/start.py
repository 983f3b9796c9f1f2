"""What a network begins with: chance, an encoder trained elsewhere, or a whole bundle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from geoseg.core import BundleSpec, ClassList
from geoseg.errors import BundleError
from geoseg.model.bundle import Bundle
from geoseg.model.checkpoint import match_names, read_weights
from geoseg.model.networks import build_network, pretrained_network
from geoseg.model.weights import expected_shapes
from geoseg.runtime.computing import kept_random_state
from geoseg.train.choose import LITE0_WEIGHTS
from geoseg.train.imagenet import load_efficientnet_lite0
from geoseg.train.recipe import Network, Recipe

_RGB = 3


def arguments_of(recipe: Recipe, classes: ClassList) -> dict[str, Any]:
    """The keyword arguments of a recipe's network."""
    scores = 1 if classes.is_binary else len(classes)
    return {
        **recipe.network.options,
        "encoder_name": recipe.network.encoder,
        "in_channels": len(recipe.input.bands),
        "classes": scores + int(recipe.network.edges),
    }


def start_network(recipe: Recipe, classes: ClassList, init: Bundle | None = None) -> nn.Module:
    """The network that a run begins with; the same for the same recipe.

    Args:
        recipe: says which, and whose weights its encoder has.
        classes: what it is to tell apart.
        init: a bundle of the same network to go on from; its encoder weights win over the recipe's.

    Raises:
        BundleError: there is no such network, or the weights do not fit it.
    """
    arguments = arguments_of(recipe, classes)
    with kept_random_state():
        torch.default_generator.manual_seed(recipe.seed)  # that of the CPU alone, where it is built
        network = build_network(recipe.network.architecture, arguments)
        if init is not None:
            network.load_state_dict(_adapted_bundle(init, recipe, classes, network.state_dict()))
        elif recipe.network.encoder_weights is not None:
            given = _encoder_weights(recipe.network, arguments)
            encoder = network.get_submodule("encoder")
            encoder.load_state_dict(_adapted_encoder(given, encoder.state_dict(), recipe.network))
    return network


def without_weights(recipe: Recipe) -> Recipe:
    """A recipe whose network begins from chance: all its weights will be replaced."""
    return replace(recipe, network=replace(recipe.network, encoder_weights=None))


def network_of(spec: BundleSpec, edges: bool) -> Network:
    """The network of a bundle, as a recipe describes it."""
    own = ("encoder_name", "in_channels", "classes")
    options = {name: value for name, value in spec.arguments.items() if name not in own}
    encoder = str(spec.arguments.get("encoder_name", "resnet34"))
    return Network(spec.architecture, encoder, None, options, edges)


def _encoder_weights(network: Network, arguments: Mapping[str, Any]) -> dict[str, Tensor]:
    """The state dict of an encoder of red, green and blue."""
    name = network.encoder_weights
    assert name is not None
    rgb = {**arguments, "in_channels": _RGB}
    if name == LITE0_WEIGHTS:
        whole = build_network(network.architecture, rgb)
        load_efficientnet_lite0(whole)
        return dict(whole.get_submodule("encoder").state_dict())
    if Path(name).is_file():
        wanted = build_network(network.architecture, rgb).get_submodule("encoder").state_dict()
        return match_names(_without_rest(read_weights(Path(name))), wanted)
    if "/" in name or Path(name).suffix:
        raise BundleError(f"the encoder weights {name} are no file", "check the path")
    return dict(pretrained_network(network.architecture, rgb, name).get_submodule("encoder").state_dict())


def _without_rest(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Of a whole network's weights those of its encoder."""
    inner = {n.partition("encoder.")[2]: t for n, t in tensors.items() if "encoder." in n}
    return inner or dict(tensors)


def _adapted_encoder(
    given: Mapping[str, Tensor], fresh: Mapping[str, Tensor], network: Network
) -> dict[str, Tensor]:
    """Weights of an encoder of three bands for one of any number.

    The first layer's weights are repeated over the bands and scaled, so that its output keeps its size.
    """
    missing = [n for n in fresh if n not in given and not n.endswith("num_batches_tracked")]
    if missing:
        what = f"the encoder weights {network.encoder_weights} lack {missing[0]}"
        raise BundleError(f"{what} of {network.encoder}", "name the encoder that they belong to")
    result = {}
    for name, tensor in fresh.items():
        value = given.get(name, tensor)
        if value.shape != tensor.shape:
            bands = tensor.shape[1] if tensor.ndim == 4 else 0
            if value.ndim != 4 or value.shape[1] != _RGB or value.shape[::2] != tensor.shape[::2]:
                raise BundleError(
                    f"the encoder weights {network.encoder_weights} do not fit {network.encoder}: "
                    f"{name} is {tuple(value.shape)}, not {tuple(tensor.shape)}"
                )
            value = value[:, [band % _RGB for band in range(bands)]] * (_RGB / bands)
        result[name] = value
    return result


def _adapted_bundle(
    bundle: Bundle, recipe: Recipe, classes: ClassList, fresh: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Weights of a bundle for a network of the same kind, perhaps with other bands or classes.

    Bands and outputs are matched by name; a band that is new begins with the mean of the known ones, an
    output that is new from chance.
    """
    spec = bundle.spec
    first, last = _layers_of(spec, "in_channels"), _layers_of(spec, "classes")
    before = _outputs(spec.classes, spec.activation == "sigmoid", spec.has_edges)
    after = _outputs(classes, classes.is_binary, recipe.network.edges)
    result = {}
    for name, tensor in fresh.items():
        value = bundle.weights.get(name, tensor)
        if name in first:
            value = _by_band(value, spec.bands, recipe.input.bands)
        elif name in last:
            value = _by_output(value, tensor, before, after)
        if value.shape != tensor.shape:
            raise BundleError(f"{bundle.folder} does not fit the network: {name} has another shape")
        result[name] = value
    return result


def _layers_of(spec: BundleSpec, argument: str) -> set[str]:
    """Names of the weights whose shape depends on an argument of the network."""
    more = {**spec.arguments, argument: spec.arguments[argument] + 1}
    now, then = (expected_shapes(spec.architecture, values) for values in (spec.arguments, more))
    return {name for name, shape in now.items() if then[name] != shape}


def _by_band(value: Tensor, before: Sequence[str], after: Sequence[str]) -> Tensor:
    known = {band: value[:, k] for k, band in enumerate(before)}
    mean = value.mean(1)
    return torch.stack([known.get(band, mean) for band in after], 1)


def _by_output(value: Tensor, fresh: Tensor, before: Sequence[str], after: Sequence[str]) -> Tensor:
    result = fresh.clone()
    for row, name in enumerate(after):
        if name in before:
            result[row] = value[before.index(name)]
    return result


def _outputs(classes: ClassList, sigmoid: bool, edges: bool) -> list[str]:
    names = [c.name for c in (classes.foreground if sigmoid else classes)]
    return [*names, " edges"] if edges else names
