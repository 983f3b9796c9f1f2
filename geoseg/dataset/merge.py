"""Data sets of one list of classes, joined."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from geoseg.core import Progress, Window
from geoseg.dataset.item_writer import LabelledImage
from geoseg.dataset.items import SPLITS, DataSet, DataSource, Item, Labels
from geoseg.dataset.pairs import safe_stem
from geoseg.dataset.store import read_labels
from geoseg.dataset.writer import DataSetSettings, write_dataset
from geoseg.errors import InputError, OptionError
from geoseg.raster import Scene


@dataclass(frozen=True)
class _Part:
    """A data set's part of the joint one.

    Attributes:
        stems: new names by the old ones.
        sources: new ones by the old names.
        dataset: as it was.
    """

    stems: Mapping[str, str]
    sources: Mapping[str, DataSource]
    dataset: DataSet


def merge_datasets(
    datasets: Sequence[DataSet],
    target: Path,
    weights: Mapping[str, float] | None = None,
    overwrite: bool = False,
    progress: Progress = lambda images: None,
) -> DataSet:
    """Join data sets; every image keeps its labels, objects, sampling distance, source and list.

    Where some have lists of a split and others have none, the images of those are for training.

    Args:
        datasets: two or more, of the same classes in the same order, and of one kind of images.
        target: folder of the joint one.
        weights: of sources by their names; those not named keep theirs.
        overwrite: whether a data set there may be replaced.
        progress: told how many more images are done.

    Raises:
        InputError: if they do not go together.
        OptionError: if a weight is for no source.
        OutputError: if the folder cannot be written.
    """
    _check_classes(datasets)
    parts = _parts(datasets, dict(weights or {}))
    items = {part.stems[item.stem]: item for part in parts for item in part.dataset.items}

    def draw(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        return read_labels(items[sample.stem], window)

    samples = [_sample(part, item) for part in parts for item in part.dataset.items]
    sources = tuple(source for part in parts for source in part.sources.values())
    recipe = DataSetSettings(
        target,
        datasets[0].classes,
        sources,
        options={"merge": True},
        splits=_splits(parts),
        overwrite=overwrite,
    )
    return write_dataset(recipe, samples, draw, progress)


def _check_classes(datasets: Sequence[DataSet]) -> None:
    if len(datasets) < 2:
        raise OptionError("one data set is nothing to merge", "name two or more")
    first = [c.name for c in datasets[0].classes]
    for other in datasets[1:]:
        names = [c.name for c in other.classes]
        if names != first:
            raise InputError(
                f"{other.folder} has the classes {', '.join(names)}, "
                f"{datasets[0].folder} has {', '.join(first)}",
                "prepare them with the same classes in the same order",
            )


def _parts(datasets: Sequence[DataSet], weights: dict[str, float]) -> tuple[_Part, ...]:
    stems = Counter(item.stem for dataset in datasets for item in dataset.items)
    names = Counter(source.name for dataset in datasets for source in dataset.sources)
    labels = _labels(datasets)
    parts = []
    for label, dataset in zip(labels, datasets, strict=True):
        renamed = {i.stem: safe_stem([label, i.stem]) if stems[i.stem] > 1 else i.stem for i in dataset.items}
        sources = {}
        for source in dataset.sources:
            name = f"{label}/{source.name}" if names[source.name] > 1 else source.name
            sources[source.name] = replace(source, name=name, weight=weights.pop(name, source.weight))
        parts.append(_Part(renamed, sources, dataset))
    if weights:
        known = ", ".join(s.name for part in parts for s in part.sources.values())
        raise OptionError(f"weight of {', '.join(weights)}: no such source", f"there are {known}")
    return tuple(parts)


def _labels(datasets: Sequence[DataSet]) -> list[str]:
    """A word for each data set that no other has."""
    names = [dataset.folder.resolve().name for dataset in datasets]
    return [n if names.count(n) == 1 else f"{n}{i}" for i, n in enumerate(names, start=1)]


def _sample(part: _Part, item: Item) -> LabelledImage:
    files = tuple(path for path in (item.mask, item.instances) if path is not None)
    return LabelledImage(
        part.stems[item.stem],
        item.image,
        part.sources[item.source].name,
        item.gsd_m,
        inputs=files,
        key=str(item.values),
        objects=item.objects,
        irregular=item.irregular,
        alpha=item.alpha,
        keep_collar=not item.collar,
    )


def _splits(parts: Sequence[_Part]) -> dict[str, list[str]]:
    if not any(stems for part in parts for stems in part.dataset.splits.values()):
        return {}
    splits: dict[str, list[str]] = {name: [] for name in SPLITS}
    for part in parts:
        listed = part.dataset.splits
        if not any(listed.values()):
            listed = {"train": tuple(part.stems)}
        for name, stems in listed.items():
            splits[name] += [part.stems[stem] for stem in stems]
    return splits
