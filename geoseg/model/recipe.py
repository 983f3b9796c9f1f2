"""What a user says about weights of their own, to make a bundle of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from geoseg.core import BundleSpec, ClassList, LabelClass, Scaling, usual_colour
from geoseg.errors import BundleError, OptionError
from geoseg.model.folder import MAX_TEXT_BYTES, read_plain

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
_BACKGROUND = LabelClass(0, "background", "#000000")


@dataclass(frozen=True, slots=True)
class PackRecipe:
    """Everything about a network that its weights do not say.

    Attributes:
        name: of the bundle.
        architecture: a name from :data:`geoseg.model.networks.ARCHITECTURES`.
        arguments: its keywords; ``in_channels`` and ``classes`` follow from the fields below.
        bands: names of the input bands in order.
        classes: names of the classes without the background, each alone or as ``name #RRGGBB``.
        mean, std: the training images' statistics per band, of values divided by ``max_value``.
        max_value: what pixel values were divided by in training.
        dtype: of the training images.
        stretch: when scenes are stretched to 0-255 first; see :class:`geoseg.core.Scaling`.
        activation: ``sigmoid`` for one output of one class, ``softmax`` for one output per class and
            background; None: sigmoid where there is one class.
        has_edges: whether one more output marks the inner rim of objects.
        gsd_range_m: finest and coarsest sampling distance the network knows, in metres.
        patch, overlap: in pixels of the network's grid.
        patch_multiple: sides of a patch must be multiples of this.
        threshold: probability from which a pixel is class 1.
        licence: of the weights.
        half: store the weights as 16-bit numbers.
    """

    name: str
    architecture: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    bands: tuple[str, ...] = ("red", "green", "blue")
    classes: tuple[str, ...] = ("building",)
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    max_value: float = 255.0
    dtype: str = "uint8"
    stretch: str = "other-dtypes"
    activation: str | None = None
    has_edges: bool = False
    gsd_range_m: tuple[float, float] | None = None
    patch: tuple[int, int] = (512, 512)
    overlap: tuple[int, int] = (128, 128)
    patch_multiple: int = 32
    threshold: float = 0.5
    licence: str = ""
    half: bool = False

    def spec(self) -> BundleSpec:
        """The bundle's description, without its files.

        Raises:
            OptionError: the values do not fit together.
        """
        try:
            spec = self._spec()
        except (ValueError, TypeError, ZeroDivisionError) as error:
            raise OptionError(f"recipe of {self.name}: {error}", "see `geoseg model pack --help`") from error
        return spec

    def _spec(self) -> BundleSpec:
        activation = self.activation or ("sigmoid" if len(self.classes) == 1 else "softmax")
        channels = 1 if activation == "sigmoid" else len(self.classes) + 1
        sizes = {"in_channels": len(self.bands), "classes": channels + int(self.has_edges)}
        pairs = list(zip(self.mean, self.std, strict=True))
        return BundleSpec(
            name=self.name,
            architecture=self.architecture,
            arguments={**self.arguments, **sizes},
            bands=tuple(self.bands),
            scaling=Scaling(
                dtype=self.dtype,
                gain=tuple(1 / (self.max_value * std) for _, std in pairs),
                bias=tuple(-mean / std for mean, std in pairs),
                stretch=self.stretch,
            ),
            classes=_class_list(self.classes),
            patch=self.patch,
            overlap=self.overlap,
            patch_multiple=self.patch_multiple,
            gsd_range_m=self.gsd_range_m,
            has_edges=self.has_edges,
            activation=activation,
            threshold=self.threshold,
            licence=self.licence,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> PackRecipe:
        """The inverse of :meth:`to_json`.

        Raises:
            ValueError, TypeError: an entry is unknown, or the name or architecture is missing.
        """
        unknown = set(data) - {f.name for f in fields(cls)}
        if unknown:
            raise ValueError(f"unknown entries {sorted(unknown)}")
        values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in data.items()}
        return cls(**values)

    @classmethod
    def read(cls, path: Path) -> PackRecipe:
        """Read a recipe from a JSON file.

        Raises:
            BundleError: not a recipe.
        """
        try:
            return cls.from_json(json.loads(read_plain(path, MAX_TEXT_BYTES)))
        except (ValueError, TypeError, RecursionError) as error:
            raise BundleError(f"{path}: not a recipe: {error}", "see `geoseg model pack --help`") from error


def _class_list(names: tuple[str, ...]) -> ClassList:
    classes = [_BACKGROUND]
    for number, text in enumerate(names, start=1):
        name, _, colour = text.rpartition(" #")
        classes.append(
            LabelClass(number, name, f"#{colour}") if name else LabelClass(number, text, usual_colour(number))
        )
    return ClassList(tuple(classes))
