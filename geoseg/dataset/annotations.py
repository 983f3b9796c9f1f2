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
from geoseg.dataset.coordinates import CoordinateCheck
from geoseg.dataset.filenames import ImageFinder
from geoseg.dataset.irregular import DRAWN, LEFT_OUT, Irregularity
from geoseg.dataset.pairs import SHOWN, distinct_stems, names_of
from geoseg.dataset.placement import Placement, PlacementReport, place_labels
from geoseg.dataset.shapes import Shape
from geoseg.errors import InputError
from geoseg.raster import open_scene


@dataclass
class Gathered:
    """What is known of an image while annotations are read.

    Attributes:
        path: of the file.
        placement: of the labels on it.
        name: as the labels have it.
        key: its id there.
        shapes: those to be drawn.
        seen: what they were made of.
        irregular: how many irregularities.
    """

    path: Path
    placement: Placement
    name: str
    key: str
    shapes: list[Shape] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    irregular: int = 0

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the picture that was labelled."""
        return self.placement.labelled


class Gathering:
    """One file of annotations being read.

    Args:
        origin: the file.
        images: folder of the images.
        check: counts outlines that draw nothing.

    Raises:
        InputError: if there is no such folder.
    """

    def __init__(self, origin: Path, images: Path, check: CoordinateCheck) -> None:
        self._origin = origin
        self.check = check
        self._places = PlacementReport()
        self._folder = images
        self._finder = ImageFinder(images)
        self._images: dict[Any, Gathered] = {}
        self._missing: dict[Any, str] = {}
        self._ambiguous: list[str] = []
        self._by_path: dict[Path, Gathered] = {}
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
        paths = self._finder.find(name)
        if len(paths) != 1:
            if paths:
                self._ambiguous.append(self._finder.told(name, paths))
            self.leave_out(key, name, kinds.AMBIGUOUS if paths else kinds.MISSING)
            return
        path = paths[0]
        image = self._images.get(key) or self._by_path.get(path)
        if image is not None:
            self._images.setdefault(key, image)
            self.tell(image, kinds.SAME_IMAGE, "image", DRAWN)
            return
        with open_scene(path) as scene:
            stored, orientation = scene.info.grid.size, scene.orientation
        placement = place_labels(declared, stored, orientation)
        if placement is None:
            self.leave_out(key, name, kinds.WRONG_SIZE)
            return
        self._places.add(path.name, placement, orientation)
        image = Gathered(path, placement, name, str(key))
        self._images[key] = self._by_path[path] = image

    def leave_out(self, key: Any, name: str, kind: str) -> None:
        """Take an image and all on it for unusable."""
        self._missing[key] = name
        self._found.append(Irregularity(kind, "image", str(key), name, LEFT_OUT))

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
            shape: to be drawn, in pixels of the labelled picture, or None.
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
            image.shapes.append(image.placement.place(shape))
        if kind is not None:
            self.tell(image, kind, name, DRAWN if drawn else LEFT_OUT)

    def tell(self, image: Gathered, kind: str, annotation: str, done: str) -> None:
        """Take down an irregularity."""
        image.irregular += 1
        self._found.append(Irregularity(kind, annotation, image.key, image.name, done))

    def result(self, classes: ClassList) -> Annotations:
        """Everything read.

        Raises:
            InputError: if none of the images is there, or no outline draws anything.
        """
        if not self._by_path:
            self._refuse()
        wrong = self._wrong()
        unlabelled = [i.file for i in self._found if i.kind == kinds.UNLABELLED]
        told = (
            *(f"left out, without a finished annotation: {names_of(unlabelled)}" for _ in unlabelled[:1]),
            *self._ambiguous[:SHOWN],
            *(f"left out, of another shape than the labels state: {names_of(wrong)}" for _ in wrong[:1]),
            *self._places.lines(),
            *self.check.check(str(self._origin)),
        )
        stems = distinct_stems(self._folder, sorted(self._by_path))
        shapes = {stem: tuple(self._by_path[path].shapes) for path, stem in stems.items()}
        found = {stem: self._by_path[path] for path, stem in stems.items()}
        images = tuple(
            AnnotatedImage(stem, i.path, len(i.shapes), i.irregular, key=_digest(i.shapes))
            for stem, i in sorted(found.items())
        )
        return Annotations(images, classes, tuple(self._found), lambda image: shapes[image.stem], told)

    def _wrong(self) -> list[str]:
        return [i.file for i in self._found if i.kind == kinds.WRONG_SIZE]

    def _refuse(self) -> None:
        if self._ambiguous:
            raise InputError(
                f"{self._origin}: {'; '.join(self._ambiguous[:SHOWN])}",
                "give --images a folder that holds only the labelled ones, or rename files and labels alike",
            )
        wrong = self._wrong()
        if wrong:
            raise InputError(
                f"{self._origin}: all are of another shape than the labels state: {names_of(wrong)}",
                "name the folder of the images that were labelled with --images",
            )
        example = next(iter(self._missing.values()), "")
        raise InputError(
            f"{self._origin}: none of its {len(self._missing)} images is there ({example}, ...)",
            "name their folder with --images",
        )


def _digest(shapes: Sequence[Shape]) -> str:
    return sha256("".join(shape.digest() for shape in shapes).encode()).hexdigest()
