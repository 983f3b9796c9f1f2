"""Making a data set: checked before anything is written, made image by image, put in place as a whole."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from geoseg.core import ClassList, Progress
from geoseg.core.files import check_space, write_json, write_text
from geoseg.core.text import counted
from geoseg.dataset.classlists import write_class_list
from geoseg.dataset.item_writer import Draw, LabelledImage, Making
from geoseg.dataset.items import SPLITS, DataSet, DataSource, band_names
from geoseg.dataset.pairs import DESCRIPTION, missing_text, names_of
from geoseg.dataset.parallel import in_threads
from geoseg.dataset.staging import StagingFolder
from geoseg.dataset.statistics import SAMPLED, PartStatistics, add_parts
from geoseg.dataset.store import FORMAT, open_dataset
from geoseg.errors import InputError
from geoseg.raster import open_scene
from geoseg.raster.orientation import tiff_orientation

LEAST_SAMPLE = 16


@dataclass(frozen=True)
class DataSetSettings:
    """What a data set is to be.

    Attributes:
        target: its folder.
        classes: what labels mean.
        sources: of the samples.
        options: whatever else changes the labels, JSON-able.
        splits: lists to write: ``valid`` -> stems.
        extras: further text files to write: name -> content.
        overwrite: whether a data set there may be replaced.
    """

    target: Path
    classes: ClassList
    sources: tuple[DataSource, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    splits: Mapping[str, Sequence[str]] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)
    overwrite: bool = False


def write_dataset(
    recipe: DataSetSettings,
    samples: Sequence[LabelledImage],
    draw: Draw,
    progress: Progress = lambda images: None,
) -> DataSet:
    """Make a data set, whole or not at all.

    A run that is stopped leaves its finished part beside the target, and the same call goes on from there.

    Args:
        recipe: what it is to be.
        samples: its images.
        draw: gives their labels. Pixels without data are set to ignore afterwards.
        progress: told how many more images are done.

    Raises:
        InputError: if images are missing, damaged or unlike each other; all are told in one message.
        OutputError: if the folder cannot be written.
    """
    samples, notes = _settle_alpha(samples)
    about = _inspect(samples)
    sampled = max(LEAST_SAMPLE, SAMPLED // len(samples))
    options = json.dumps(recipe.options, sort_keys=True, default=str)
    making = Making(recipe.classes, draw, options, sampled)
    with StagingFolder(recipe.target, recipe.overwrite) as workshop:
        left = [s for s in samples if not making.is_finished(workshop, s)]
        check_space(workshop.folder, sum(s.image.stat().st_size for s in left))
        entries = []
        for entry in in_threads(lambda sample: making.make(workshop, sample), samples):
            entries.append(entry)
            progress(1)
        _finish(recipe, workshop, replace(about, notes=notes), entries)
    return open_dataset(recipe.target)


@dataclass(frozen=True, slots=True)
class _About:
    """What all images have in common."""

    bands: tuple[str, ...]
    dtype: str
    notes: tuple[str, ...] = ()


def _settle_alpha(samples: Sequence[LabelledImage]) -> tuple[Sequence[LabelledImage], tuple[str, ...]]:
    """One decision for all images whose alpha band is not decided: if one is of the picture, all are.

    Returns:
        The samples with it, and what the user should know.
    """
    found: set[str] = set()
    notes: list[str] = []
    for sample in samples:
        if sample.alpha == "auto" and sample.image.is_file():
            with open_scene(sample.image) as scene:
                found.add(scene.alpha)
                notes += scene.source.alpha.notes
    decided = "band" if "band" in found else "mask" if "mask" in found else "auto"
    alpha = (f"{notes[0]}; decided for all {len(samples):,} images",) if notes else ()
    told = (*alpha, *_turned([sample.image for sample in samples]))
    return [replace(s, alpha=decided if s.alpha == "auto" else s.alpha) for s in samples], told


def _turned(images: Sequence[Path]) -> tuple[str, ...]:
    """What is said of TIFFs that picture viewers show turned."""
    names = [path.name for path in images if path.is_file() and not tiff_orientation(path).is_upright]
    if not names:
        return ()
    return (
        f"an orientation tag is in {names_of(names)}, which picture viewers follow and geoseg does not: "
        "labels are taken on the pixels as they are stored; if they were drawn on a picture that is shown "
        "turned, turn the file first: magick FILE -auto-orient FILE",
    )


def _inspect(samples: Sequence[LabelledImage]) -> _About:
    """Look at every image's header before anything is written."""
    if not samples:
        raise InputError("there are no images to make a data set of", "check the folders")
    twice = [stem for stem, count in Counter(s.stem for s in samples).items() if count > 1]
    if twice:
        raise InputError(missing_text(twice, "images would have the name of another"), "rename them")
    gone = [str(s.image) for s in samples if not s.image.is_file()]
    if gone:
        raise InputError(missing_text(gone, "images are missing"), "check the folders")
    kinds: dict[_About, list[str]] = {}
    for sample in samples:
        with open_scene(sample.image, alpha=sample.alpha) as scene:
            if scene.source.details is None:
                raise InputError(f"{sample.image}: is a VRT", "make it one file with gdal_translate first")
            kinds.setdefault(_About(band_names(scene.info), scene.info.dtype), []).append(sample.stem)
    if len(kinds) > 1:
        found = (missing_text(v, f"of {', '.join(k.bands)} ({k.dtype})") for k, v in kinds.items())
        raise InputError(
            f"images are unlike each other: {'; '.join(found)}",
            "a data set has one kind of image: convert or leave out the others",
        )
    return next(iter(kinds))


def _finish(
    recipe: DataSetSettings, workshop: StagingFolder, about: _About, entries: Sequence[dict[str, Any]]
) -> None:
    entries = sorted(entries, key=lambda entry: str(entry["item"]["stem"]))
    items = [entry["item"] for entry in entries]
    _refuse_empty(recipe, workshop, items)
    statistics = add_parts(PartStatistics(**part) for entry in entries for part in entry["parts"])
    folder = workshop.folder
    write_class_list(folder / "classes.csv", recipe.classes)
    texts = {f"{name}.txt": _lines(recipe.splits[name]) for name in SPLITS if recipe.splits.get(name)}
    texts |= recipe.extras
    for name, text in texts.items():
        write_text(folder / name, text, overwrite=True)
    description = {
        "format": FORMAT,
        "geoseg": version("geoseg"),
        "classes": recipe.classes.to_json(),
        "bands": about.bands,
        "dtype": about.dtype,
        "statistics": statistics.to_json() if statistics else None,
        "sources": [source.to_json() for source in recipe.sources],
        "fingerprint": _fingerprint(recipe.classes, entries),
        "notes": about.notes,
        "items": items,
    }
    write_json(folder / DESCRIPTION, description, overwrite=True)
    files = {item[kind] for item in items for kind in ("image", "mask", "instances") if item[kind]}
    files |= {name for entry in entries for name in entry["beside"]}
    workshop.publish(files | {DESCRIPTION, "classes.csv", *texts})


def _refuse_empty(
    recipe: DataSetSettings, workshop: StagingFolder, items: Sequence[Mapping[str, Any]]
) -> None:
    """Labels of which not one pixel is drawn were not meant so; nothing is kept then."""
    objects = sum(item["objects"] or 0 for item in items)
    if objects and not any(any(item["counts"][1:-1]) for item in items):
        workshop.discard()
        raise InputError(
            f"{recipe.target}: not one pixel of {counted(objects, 'object')} is drawn: they are smaller than "
            "a pixel, or lie where images have no data",
            "check that labels and images belong together",
        )


def _lines(stems: Sequence[str]) -> str:
    return "".join(f"{stem}\n" for stem in stems)


def _fingerprint(classes: ClassList, entries: Sequence[Mapping[str, Any]]) -> str:
    said = [classes.to_json(), [(e["item"]["stem"], e["digest"]) for e in entries]]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
