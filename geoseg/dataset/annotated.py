"""Images with annotated objects, whatever tool they come from: gathered, chosen, made a data set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from geoseg.core import ClassList, Progress, Window
from geoseg.dataset.irregular import UNKNOWN_CLASS, UNKNOWN_IMAGE, Irregularity, as_table
from geoseg.dataset.item_writer import LabelledImage
from geoseg.dataset.items import DataSet, DataSource, Labels
from geoseg.dataset.shapes import Shape, draw_shapes
from geoseg.dataset.writer import DataSetSettings, write_dataset
from geoseg.errors import InputError, OptionError
from geoseg.raster import Scene

REPORT = "irregular.tsv"


@dataclass(frozen=True)
class AnnotatedImage:
    """An image and what is annotated on it.

    Attributes:
        stem: a name no other image has.
        path: of the image.
        objects: how many outlines it has.
        irregular: how many irregularities.
        split: list it belongs to, or an empty string.
        inputs: files that tell its objects.
        key: stands for what it shows: another one means other objects.
    """

    stem: str
    path: Path
    objects: int
    irregular: int = 0
    split: str = ""
    inputs: tuple[Path, ...] = ()
    key: str = ""


@dataclass(frozen=True)
class Annotations:
    """What an annotation tool exported.

    Attributes:
        images: those whose file is there.
        classes: of the objects.
        irregularities: what was found.
        shapes: the objects of an image.
        told: lines that the user should read.
    """

    images: tuple[AnnotatedImage, ...]
    classes: ClassList
    irregularities: tuple[Irregularity, ...]
    shapes: Callable[[AnnotatedImage], Sequence[Shape]] = field(repr=False)
    told: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ImageSelection:
    """Which images are taken.

    Attributes:
        drop_empty: leave out images without objects, which else are background.
        max_irregular: leave out images with more irregularities; None: none.
        best: keep this many images, those with the fewest irregularities; None: all.
    """

    drop_empty: bool = False
    max_irregular: int | None = None
    best: int | None = None

    def __post_init__(self) -> None:
        if self.best is not None and self.best < 1:
            raise OptionError(f"best {self.best}", "keep 1 image or more")

    def of(self, images: Sequence[AnnotatedImage]) -> tuple[AnnotatedImage, ...]:
        """The images that are taken, in their order."""
        most = self.max_irregular
        kept = [
            image
            for image in images
            if (image.objects or not self.drop_empty) and (most is None or image.irregular <= most)
        ]
        cleanest = sorted(kept, key=lambda image: image.irregular)[: self.best]
        names = {image.stem for image in cleanest}
        return tuple(image for image in kept if image.stem in names)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a data set goes, and what is said about its source.

    Attributes:
        folder: of the data set.
        source: name, licence and weight.
        gsd_m: side of a pixel in metres, where images do not say; None: not known.
        overwrite: whether a data set there may be replaced.
        alpha: what a band of the images flagged as alpha is: ``auto``, ``mask`` or ``band``.
        keep_collar: padding along the images' borders is labelled like the rest; else it is ignored.
    """

    folder: Path
    source: DataSource
    gsd_m: float | None = None
    overwrite: bool = False
    alpha: str = "auto"
    keep_collar: bool = False

    def __post_init__(self) -> None:
        if self.gsd_m is not None and not 0 < self.gsd_m < float("inf"):
            raise OptionError(f"gsd-m {self.gsd_m}", "the side of a pixel in metres, above 0")


def prepare_annotated(
    annotations: Annotations,
    target: Target,
    choice: ImageSelection | None = None,
    progress: Progress = lambda images: None,
) -> DataSet:
    """Make a data set of annotated images; ``irregular.tsv`` in it lists what was irregular.

    Args:
        annotations: from one of the readers.
        target: where it goes.
        choice: which images are taken; None: all.
        progress: told how many more images are done.

    Raises:
        InputError: if no image is left, or none has an object.
        OutputError: if the folder cannot be written.
    """
    images = (choice or ImageSelection()).of(annotations.images)
    if not any(image.objects for image in images):
        raise InputError(
            f"{target.source.origin}: none of its {len(annotations.images)} images is left with an outline"
            + _why(annotations),
            _remedy(annotations),
        )
    by_stem = {image.stem: image for image in images}

    def draw(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        return draw_shapes(annotations.shapes(by_stem[sample.stem]), scene.info.grid.size, window)

    splits: dict[str, list[str]] = {}
    for image in images:
        if image.split:
            splits.setdefault(image.split, []).append(image.stem)
    recipe = DataSetSettings(
        target.folder,
        annotations.classes,
        (target.source,),
        splits=splits,
        extras={REPORT: as_table(annotations.irregularities)},
        overwrite=target.overwrite,
    )
    return write_dataset(recipe, [_sample(image, target) for image in images], draw, progress)


def _sample(image: AnnotatedImage, target: Target) -> LabelledImage:
    return LabelledImage(
        image.stem,
        image.path,
        target.source.name,
        target.gsd_m,
        inputs=image.inputs,
        key=image.key,
        objects=image.objects,
        irregular=image.irregular,
        alpha=target.alpha,
        keep_collar=target.keep_collar,
    )


def _remedy(annotations: Annotations) -> str:
    kinds = {found.kind for found in annotations.irregularities}
    if not annotations.images:
        return "check --images"
    if kinds <= {UNKNOWN_CLASS, UNKNOWN_IMAGE} and kinds:
        return "the numbers of annotations have to be those of the lists of classes and images"
    return "outlines are needed: boxes alone are not enough"


def _why(annotations: Annotations) -> str:
    counts: dict[str, int] = {}
    for found in annotations.irregularities:
        counts[found.kind] = counts.get(found.kind, 0) + 1
    told = ", ".join(f"{kind}: {count:,}" for kind, count in counts.items())
    return f" ({told})" if told else ""
