"""Annotations gathered image by image, with what is irregular about them, whatever file they come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from geoseg.core import ClassList
from geoseg.dataset import irregular as kinds
from geoseg.dataset.annotated import AnnotatedImage, Annotations
from geoseg.dataset.filenames import ImageFinder
from geoseg.dataset.irregular import DRAWN, LEFT_OUT, Irregularity
from geoseg.dataset.pairs import safe_stem
from geoseg.dataset.shapes import Shape
from geoseg.errors import InputError
from geoseg.raster import open_scene


@dataclass
class Gathered:
    """What is known of an image while annotations are read.

    Attributes:
        stem: its name in a data set.
        path: of the file.
        size: height and width.
        name: as the labels have it.
        key: its id there.
        shapes: those to be drawn.
        seen: what they were made of.
        irregular: how many irregularities.
    """

    stem: str
    path: Path
    size: tuple[int, int]
    name: str
    key: str
    shapes: list[Shape] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    irregular: int = 0


class Gathering:
    """One file of annotations being read.

    Args:
        origin: the file.
        images: folder of the images.

    Raises:
        InputError: if there is no such folder.
    """

    def __init__(self, origin: Path, images: Path) -> None:
        self._origin = origin
        self._finder = ImageFinder(images)
        self._images: dict[Any, Gathered] = {}
        self._missing: dict[Any, str] = {}
        self._by_path: dict[Path, Gathered] = {}
        self._stems: set[str] = set()
        self._ids: set[str] = set()
        self._found: list[Irregularity] = []

    def add_image(self, key: Any, name: str, declared: tuple[Any, Any] = (None, None)) -> None:
        """Take an image.

        Args:
            key: its id.
            name: of its file.
            declared: height and width, where they are said.

        Raises:
            SceneError: if the file is damaged.
        """
        path = self._finder.find(name)
        if path is None:
            self._missing[key] = name
            self._found.append(Irregularity(kinds.MISSING, "image", str(key), name, LEFT_OUT))
            return
        image = self._images.get(key) or self._by_path.get(path)
        if image is not None:
            self._images.setdefault(key, image)
            self.tell(image, kinds.SAME_IMAGE, "image", DRAWN)
            return
        with open_scene(path) as scene:
            size = scene.info.grid.size
        image = Gathered(self._stem(path), path, size, name, str(key))
        self._images[key] = self._by_path[path] = image
        if None not in declared and declared != size:
            self.tell(image, kinds.WRONG_SIZE, "image", DRAWN)

    def image(self, key: Any, annotation: str) -> Gathered | None:
        """The image an annotation is on; None where there is none, which is told."""
        image = self._images.get(key)
        if image is None and key not in self._missing:  # a missing file is told once, not for each of its own
            self._found.append(Irregularity(kinds.UNKNOWN_IMAGE, annotation, str(key), "", LEFT_OUT))
        return image

    def add_shape(self, image: Gathered, name: str, shape: Shape | None, kind: str | None) -> None:
        """Take an annotation, unless it is there already.

        Args:
            image: it is on.
            name: its id, or an empty string.
            shape: to be drawn, or None.
            kind: what is irregular about it, or None.
        """
        same = "" if shape is None else shape.digest()
        if name and name in self._ids:
            kind = kinds.SAME_ID
        elif same in image.seen:
            kind = kinds.SAME_POLYGON
        drawn = shape is not None and same not in image.seen
        self._ids.add(name)
        if shape is not None and drawn:
            image.seen.add(same)
            image.shapes.append(shape)
        if kind is not None:
            self.tell(image, kind, name, DRAWN if drawn else LEFT_OUT)

    def tell(self, image: Gathered, kind: str, annotation: str, done: str) -> None:
        """Take down an irregularity."""
        image.irregular += 1
        self._found.append(Irregularity(kind, annotation, image.key, image.name, done))

    def result(self, classes: ClassList) -> Annotations:
        """Everything read.

        Raises:
            InputError: if none of the images is there.
        """
        if not self._by_path:
            example = next(iter(self._missing.values()), "")
            raise InputError(
                f"{self._origin}: none of its {len(self._missing)} images is there ({example}, ...)",
                "name their folder with --images",
            )
        gathered = sorted(self._by_path.values(), key=lambda image: image.stem)
        shapes = {image.stem: tuple(image.shapes) for image in gathered}
        images = tuple(
            AnnotatedImage(i.stem, i.path, len(i.shapes), i.irregular, key=_digest(i.shapes))
            for i in gathered
        )
        return Annotations(images, classes, tuple(self._found), lambda image: shapes[image.stem])

    def _stem(self, path: Path) -> str:
        stem = safe_stem([path.stem])
        if stem in self._stems:
            stem = safe_stem([path.parent.name, path.stem, str(len(self._stems))])
        self._stems.add(stem)
        return stem


def _digest(shapes: Sequence[Shape]) -> str:
    return sha256("".join(shape.digest() for shape in shapes).encode()).hexdigest()
