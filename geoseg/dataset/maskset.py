"""Images and masks of other tools to a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geoseg.core import Progress, Window
from geoseg.dataset.annotated import Target
from geoseg.dataset.classlists import ClassTable, read_class_list
from geoseg.dataset.item_writer import LabelledImage
from geoseg.dataset.items import DataSet, Labels
from geoseg.dataset.label_map import LabelMap, MaskOptions, make_label_map
from geoseg.dataset.masks import place_mask, survey_masks
from geoseg.dataset.pairs import ImageMaskPair, hidden_rasters, names_of, pair_files, pair_folders
from geoseg.dataset.plain import CLASS_FILES
from geoseg.dataset.store import read_splits
from geoseg.dataset.writer import DataSetSettings, write_dataset
from geoseg.errors import OptionError
from geoseg.raster import Scene, open_scene


@dataclass(frozen=True, slots=True)
class MaskPlaces:
    """Where images and masks are.

    Attributes:
        folder: holds folders ``images`` and ``masks`` (or ``labels``), or folders that do; and perhaps a list
            of classes and lists of a split. None where the next two are given.
        images: a folder of images, or one image.
        masks: a folder of masks, or one mask.
        suffix: what masks' names have in addition; None: found out.
    """

    folder: Path | None = None
    images: Path | None = None
    masks: Path | None = None
    suffix: str | None = None

    def pairs(self) -> tuple[ImageMaskPair, ...]:
        """Images and masks.

        Raises:
            OptionError: if the places are not said.
            InputError: if something has no counterpart.
        """
        if self.images is not None and self.masks is not None:
            return pair_files(self.images, self.masks, self.suffix)
        if self.folder is None or self.images or self.masks:
            raise OptionError("where images and masks are", "name one folder, or --images and --masks")
        return pair_folders(self.folder, self.suffix)

    def told(self) -> tuple[str, ...]:
        """What is left out, a line."""
        folders = [place for place in (self.folder, self.images, self.masks) if place and place.is_dir()]
        hidden = [name for folder in folders for name in hidden_rasters(folder)]
        return (f"left out: {names_of(hidden, 'hidden file')}",) if hidden else ()

    def class_list(self) -> ClassTable | None:
        """The list of classes in the folder, where there is one."""
        names = [self.folder / name for name in CLASS_FILES] if self.folder else []
        listed = next((path for path in names if path.is_file()), None)
        return read_class_list(listed) if listed else None


@dataclass(frozen=True)
class MaskSet:
    """Images and masks that fit each other and their list of classes.

    Attributes:
        places: where they are.
        pairs: images and masks.
        agreement: what masks mean.
        expands: whether colours are read of masks with a colour table, not values.
    """

    places: MaskPlaces
    pairs: tuple[ImageMaskPair, ...]
    agreement: LabelMap
    expands: bool


def check_masks(
    places: MaskPlaces,
    table: ClassTable | None,
    options: MaskOptions,
    progress: Progress = lambda masks: None,
) -> MaskSet:
    """Look at all masks and find out what they mean, before anything is written.

    Args:
        places: where they are.
        table: list of classes; None: the one in the folder; else every value but 0 is a class.
        options: the user's.
        progress: told how many more masks are done.

    Raises:
        InputError: if anything does not fit, with what was found.
    """
    pairs = places.pairs()
    table = table or places.class_list()
    as_values = options.mapping is not None or table is None or any(c.rgb is None for c in table.classes)
    survey = survey_masks(pairs, as_values, progress)
    agreement = make_label_map(survey, table, options)
    told = (*places.told(), *survey.told, *agreement.told)
    return MaskSet(places, pairs, replace(agreement, told=told), expands=not as_values)


def prepare_masks(masks: MaskSet, target: Target, progress: Progress = lambda images: None) -> DataSet:
    """Make a data set of images and masks; lists of a split beside them are kept.

    Args:
        masks: from :func:`check_masks`.
        target: where it goes.
        progress: told how many more images are done.

    Raises:
        InputError, OutputError: as :func:`geoseg.dataset.writer.write_dataset`.
    """
    rules = masks.agreement.rules
    read = rules.reader()

    def draw(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        with open_scene(sample.inputs[0], expand_palette=masks.expands) as mask:
            placement = place_mask(scene, mask)
            assert placement is not None  # it has been looked at
            turn = placement.orientation
            return Labels(turn.stored_pixels(read(mask, turn.shown_window(window, scene.info.grid.size))))

    recipe = DataSetSettings(
        target.folder,
        masks.agreement.classes,
        (target.source,),
        options={"rules": repr(rules), "expands": masks.expands},
        splits=_splits(masks.places.folder, masks.pairs),
        overwrite=target.overwrite,
    )
    samples = [
        LabelledImage(
            p.stem,
            p.image,
            target.source.name,
            target.gsd_m,
            (p.mask,),
            alpha=target.alpha,
            keep_collar=target.keep_collar,
        )
        for p in masks.pairs
    ]
    return write_dataset(recipe, samples, draw, progress)


def _splits(folder: Path | None, pairs: Sequence[ImageMaskPair]) -> dict[str, tuple[str, ...]]:
    return read_splits(folder, [pair.stem for pair in pairs]) if folder else {}
