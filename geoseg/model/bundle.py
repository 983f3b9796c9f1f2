"""A model bundle, checked whole before anything of a scene is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from geoseg.core import BundleSpec
from geoseg.errors import BundleError
from geoseg.model.folder import WEIGHTS, find_bundle, open_folder
from geoseg.model.networks import check_allowed
from geoseg.model.weights import check_shapes, expected_shapes, fill_network, parse_weights

CHECKS = (
    "the folder and its description",
    "every file is the one that was packed",
    "weights are whole and finite",
    "weights fit the network",
    "the network answers with probabilities",
)


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """A description and the weights that belong to it.

    Attributes:
        spec: what ``bundle.json`` says.
        folder: where it lies.
        sha256: of ``bundle.json``, which pins every other file.
        weights: name -> float32 tensor; those that were checked, whatever happens to the file later.
    """

    spec: BundleSpec
    folder: Path
    sha256: str
    weights: Mapping[str, Tensor] = field(repr=False, compare=False)

    def __repr__(self) -> str:
        spec = self.spec
        classes = ", ".join(c.name for c in spec.classes.foreground)
        return f"<Bundle {spec.name}: {classes}; {spec.architecture}; bands {', '.join(spec.bands)}>"

    def network(self) -> nn.Module:
        """The network with its weights, in evaluation mode: float32 input to logits.

        Raises:
            BundleError: the weights do not fit the network.
        """
        self.check_shapes()
        return fill_network(self.spec.architecture, self.spec.arguments, self.weights)

    def check_shapes(self) -> None:
        """Compare the shapes of the weights with those of the network.

        This builds the network, for which model libraries are imported; a network that is kept converted does
        without.

        Raises:
            BundleError: they differ.
        """
        expected = expected_shapes(self.spec.architecture, self.spec.arguments)
        check_shapes(self.weights, expected, str(self.folder / WEIGHTS), self.spec.architecture)


@dataclass(frozen=True, slots=True)
class Check:
    """One line of a report on a bundle.

    Attributes:
        title: what was looked at.
        passed: True, False, or None where an earlier failure left it unchecked.
        message: what is wrong, or an empty string.
    """

    title: str
    passed: bool | None
    message: str = ""


def load_bundle(ref: str | Path | None = None) -> Bundle:
    """Load and check a bundle.

    Args:
        ref: an embedded bundle's name, a bundle's folder, or None for the embedded default.

    Raises:
        BundleError: unknown, damaged, unsafe, or not what its description says; one plain line. Whether the
            weights fit the network is checked when the network is built.
    """
    return _load(ref, lambda title: None)


def check_bundle(ref: str | Path | None = None) -> tuple[Check, ...]:
    """Run every check of :func:`load_bundle`, and the network once, and report them one by one."""
    passed: list[str] = []
    message = ""
    try:
        bundle = _load(ref, passed.append)
        bundle.check_shapes()
        passed.append(CHECKS[3])
        _try_network(bundle)
        passed.append(CHECKS[-1])
    except BundleError as error:
        message = str(error)
    done = len(passed)
    failed = (Check(CHECKS[done], False, message),) if message else ()
    left = tuple(Check(title, None) for title in CHECKS[done + 1 :])
    return (*(Check(title, True) for title in passed), *failed, *left)


def _load(ref: str | Path | None, passed: Callable[[str], None]) -> Bundle:
    folder = open_folder(find_bundle(ref))
    check_allowed(folder.spec.architecture, folder.spec.arguments)
    passed(CHECKS[0])
    data = {name: folder.read(name) for name in folder.spec.files}
    passed(CHECKS[1])
    where = str(folder.path / WEIGHTS)
    weights = parse_weights(data[WEIGHTS], where)
    passed(CHECKS[2])
    return Bundle(folder.spec, folder.path, folder.sha256, weights)


def _try_network(bundle: Bundle) -> None:
    """Let the network answer once.

    Raises:
        BundleError: it fails, or answers with something else than finite scores of the described shape.
    """
    spec, side = bundle.spec, max(2 * bundle.spec.patch_multiple, 64)
    try:
        with torch.inference_mode():
            answer = bundle.network()(torch.zeros(1, len(spec.bands), side, side))
    except (RuntimeError, ValueError, AssertionError) as error:
        raise BundleError(
            f"{bundle.folder}: the network fails on a patch of {side}x{side}: {error}"
        ) from error
    if tuple(answer.shape) != (1, spec.outputs, side, side):
        raise BundleError(f"{bundle.folder}: the network answers with shape {tuple(answer.shape)}")
    if not torch.isfinite(answer).all():
        raise BundleError(f"{bundle.folder}: the network answers with NaN or infinite values")
