"""What a data set is: labelled images, their classes and where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import ClassList, SceneInfo
from geoseg.dataset.statistics import BandStatistics

SPLITS = ("train", "valid", "test")

Values = npt.NDArray[Any]


@dataclass(frozen=True, slots=True)
class Item:
    """One labelled image.

    Attributes:
        stem: its name, and that of its files.
        image: a raster.
        mask: a raster of class ids, or None.
        instances: a raster of object ids (0 none), where objects are known apart, or None.
        gsd_m: side of a pixel on the ground in metres, or None where it is not known.
        source: name of the source it came from.
        weight: of that source, for sampling.
        size: ``(height, width)``, or None where the file has to be asked.
        counts: pixels per class id, then those to be ignored; empty where they were not counted.
        objects: how many were drawn; None where objects are not known apart.
        irregular: how many irregularities its labels had.
        collar: pixels of padding along the image's border that are to be ignored.
        values: the mask's own value of each class id; empty: the values are the ids.
        alpha: what a band of the image flagged as alpha is: ``auto``, ``mask`` or ``band``.
    """

    stem: str
    image: Path
    mask: Path | None
    instances: Path | None = None
    gsd_m: float | None = None
    source: str = ""
    weight: float = 1.0
    size: tuple[int, int] | None = None
    counts: tuple[int, ...] = ()
    objects: int | None = None
    irregular: int = 0
    collar: int = 0
    values: tuple[int, ...] = ()
    alpha: str = "auto"


@dataclass(frozen=True, slots=True)
class DataSource:
    """Where images come from.

    Attributes:
        name: short; what :attr:`Item.source` says.
        licence: as its makers state it, or an empty string.
        weight: relative weight of its images in training.
        origin: what it was made of: a file or folder name, an address.
    """

    name: str
    licence: str = ""
    weight: float = 1.0
    origin: str = ""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True)
class DataSet:
    """Labelled images in a folder.

    Attributes:
        folder: as it was named.
        classes: what labels mean.
        bands: names of the images' bands, in order.
        dtype: of the images, NumPy's name.
        items: sorted by stem.
        splits: ``train``, ``valid`` and ``test``, each with its stems; empty where there is no list.
        statistics: of the bands; None where they were never measured.
        sources: of the items.
        fingerprint: another one means other images, labels or classes.
        notes: what was decided about the images when the data set was made.
    """

    folder: Path
    classes: ClassList
    bands: tuple[str, ...]
    dtype: str
    items: tuple[Item, ...]
    splits: Mapping[str, tuple[str, ...]]
    statistics: BandStatistics | None
    sources: tuple[DataSource, ...]
    fingerprint: str
    notes: tuple[str, ...] = ()
    _by_stem: Mapping[str, Item] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_by_stem", {item.stem: item for item in self.items})

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, stem: str) -> Item:
        return self._by_stem[stem]

    def totals(self) -> dict[str, Any]:
        """Counts over all items; pixels are 0 where they were never counted.

        Returns:
            ``images``, ``objects`` (None: not known apart), ``pixels`` per class name, ``ignored_pixels``,
            ``collars`` (images that have one) and ``collar_pixels``.
        """
        objects = [item.objects for item in self.items if item.objects is not None]
        sums = [
            sum(item.counts[i] for item in self.items if item.counts) for i in range(len(self.classes) + 1)
        ]
        return {
            "images": len(self.items),
            "objects": sum(objects) if objects else None,
            "pixels": {c.name: sums[c.id] for c in self.classes},
            "ignored_pixels": sums[-1],
            "collars": sum(item.collar > 0 for item in self.items),
            "collar_pixels": sum(item.collar for item in self.items),
        }

    def subset(self, split: str) -> tuple[Item, ...]:
        """The items of ``train``, ``valid`` or ``test``, in the order of the list."""
        return tuple(self._by_stem[stem] for stem in self.splits[split])


@dataclass(frozen=True)
class ImageArrays:
    """Pixels of an image.

    Attributes:
        pixels: (bands, height, width), as stored.
        valid: (height, width), whether they are data.
    """

    pixels: Values
    valid: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Labels:
    """What an image shows.

    Attributes:
        mask: (height, width) class ids; 255 where a pixel is to be ignored.
        instances: (height, width) object ids, 0 for none; None where objects are not known apart.
    """

    mask: npt.NDArray[np.uint8]
    instances: npt.NDArray[np.uint32] | None = None


def picture_bands(info: SceneInfo) -> tuple[int, ...]:
    """Numbers of the bands that show something: all but an alpha band, which is validity."""
    return tuple(band.index for band in info.bands if band.colour != "alpha")


def band_names(info: SceneInfo) -> tuple[str, ...]:
    """Names of a scene's bands without alpha: their own, their colours', or their numbers."""
    bands = [info.bands[index - 1] for index in picture_bands(info)]
    for key in ("name", "colour"):
        names = tuple(str(getattr(band, key)) for band in bands)
        if len(set(names)) == len(names) and not {"", "undefined"} & set(names):
            return names
    return tuple(f"band {band.index}" for band in bands)
