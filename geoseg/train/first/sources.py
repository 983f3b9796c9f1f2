"""Where labelled images come from: YOLO chips, a scene with outlines, generated scenes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from geoseg.core.window import Window
from geoseg.dataset.images import read_part
from geoseg.dataset.outlines import Box, read_vectors, read_yolo
from geoseg.dataset.synthetic import SceneRecipe, render_scene
from geoseg.evaluate.footprints import polygons_from_ids
from geoseg.train.targets import label


class Labels(Protocol):
    """Objects that can be drawn at any scale."""

    def burn(self, box: Box, size: tuple[int, int]) -> npt.NDArray[np.uint32]:
        """Ids of the objects within a box, on a raster of this height and width."""
        ...

    def within(self, box: Box) -> npt.NDArray[np.object_]:
        """The objects as polygons, clipped to a box."""
        ...


@dataclass(frozen=True)
class LabelRaster:
    """Objects known as a raster of ids; drawn at another scale by the nearest pixel."""

    ids: npt.NDArray[np.uint32]

    def burn(self, box: Box, size: tuple[int, int]) -> npt.NDArray[np.uint32]:
        """Ids at the pixels nearest to the centres of the new ones; none beyond the raster."""
        rows = np.floor(box.y + (np.arange(size[0]) + 0.5) * box.height / size[0]).astype(int)
        cols = np.floor(box.x + (np.arange(size[1]) + 0.5) * box.width / size[1]).astype(int)
        height, width = self.ids.shape
        known = ((rows >= 0) & (rows < height))[:, None] & ((cols >= 0) & (cols < width))[None, :]
        near = self.ids[np.clip(rows, 0, height - 1)[:, None], np.clip(cols, 0, width - 1)[None, :]]
        return np.where(known, near, np.uint32(0))

    def within(self, box: Box) -> npt.NDArray[np.object_]:
        """The objects as polygons along the pixels' edges, clipped to a box of whole pixels."""
        rows = slice(round(box.y), round(box.y + box.height))
        return polygons_from_ids(self.ids[rows, round(box.x) : round(box.x + box.width)])


@dataclass(frozen=True)
class Labelled:
    """An image and its objects.

    Attributes:
        pixels: ``(height, width, 3)``.
        labels: its objects.
        valid: ``(height, width)``, or None where every pixel is.
    """

    pixels: npt.NDArray[np.uint8]
    labels: Labels
    valid: npt.NDArray[np.bool_] | None = None


class Source(Protocol):
    """Images of one kind and resolution."""

    @property
    def gsd_m(self) -> float:
        """Side of a pixel on the ground, metres."""
        ...

    def __len__(self) -> int: ...

    def load(self, index: int) -> Labelled:
        """One of the images."""
        ...


@dataclass(frozen=True)
class YoloChips:
    """A folder with `images` and `labels` in YOLO's form; images are decoded when they are asked for."""

    folder: Path
    gsd_m: float
    stems: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "stems", tuple(sorted(p.stem for p in (self.folder / "images").glob("*.jpg")))
        )

    def __len__(self) -> int:
        return len(self.stems)

    def load(self, index: int) -> Labelled:
        """Decode a chip and read its label."""
        stem = self.stems[index]
        with Image.open(self.folder / "images" / f"{stem}.jpg") as image:
            pixels = np.asarray(image.convert("RGB"))
        return Labelled(pixels, read_yolo(self.folder / "labels" / f"{stem}.txt", pixels.shape[:2]))


@dataclass(frozen=True)
class MaskChips:
    """A folder with `images` and `masks` of the same names, GeoTIFF; what is not 0 in a mask is object.

    Objects that touch are one, since a mask does not tell them apart. Pixels that are 0 in every band hold no
    data.
    """

    folder: Path
    gsd_m: float
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "names", tuple(sorted(p.name for p in (self.folder / "images").glob("*.tif")))
        )

    def __len__(self) -> int:
        return len(self.names)

    def load(self, index: int) -> Labelled:
        """Read a chip and its mask."""
        pixels = read_part(self.folder / "images" / self.names[index]).pixels
        mask = read_part(self.folder / "masks" / self.names[index], bands=(1,)).pixels[..., 0]
        ids = label(mask > 0)
        return Labelled(pixels, LabelRaster(ids), np.asarray(pixels.any(axis=2)))


@dataclass(frozen=True)
class ScenePart:
    """A window of a georeferenced scene with outlines; held in memory."""

    scene: Path
    outlines: Path
    window: Window
    gsd_m: float
    _part: Labelled = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        part = read_part(self.scene, self.window)
        labelled = Labelled(part.pixels, read_vectors(self.outlines, part.grid), part.valid)
        object.__setattr__(self, "_part", labelled)

    def __len__(self) -> int:
        return 1

    def load(self, index: int) -> Labelled:
        """The part."""
        del index
        return self._part


@dataclass(frozen=True)
class SyntheticScenes:
    """Generated scenes, drawn once and kept in a folder; removing the folder draws them anew."""

    folder: Path
    count: int
    gsd_m: float
    size: tuple[int, int] = (512, 512)
    first_seed: int = 1_000_000

    def __len__(self) -> int:
        return self.count

    def load(self, index: int) -> Labelled:
        """Read a scene, after drawing it if it is asked for the first time."""
        path = self.folder / f"{index:05d}.npz"
        if not path.exists():
            self._draw(index, path)
        with np.load(path) as arrays:
            labels = LabelRaster(arrays["ids"])
            return Labelled(arrays["pixels"], labels, arrays["valid"])

    def _draw(self, index: int, path: Path) -> None:
        scene = render_scene(SceneRecipe(self.first_seed + index, size=self.size, gsd_m=self.gsd_m))
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez_compressed(
            partial,
            pixels=np.moveaxis(scene.pixels, 0, 2),
            ids=scene.instances,
            valid=scene.valid.astype(bool),
        )
        partial.replace(path)
