"""Splits a data set, or looks at how it is split, and says what is to be known of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, Progress
from geoseg.core.text import counted
from geoseg.dataset.items import SPLITS, DataSet, Item
from geoseg.dataset.split.assign import Images, Parts
from geoseg.dataset.split.leakage import Leak, find_leaks
from geoseg.dataset.split.names import look_like_sequences, sequence_names
from geoseg.dataset.split.near import near_pairs
from geoseg.dataset.split.near_duplicates import look_at
from geoseg.dataset.split.options import LISTED, OUT, TEST, TRAIN, VALID, Shares, SplitOptions
from geoseg.dataset.split.places import METRES, PIXELS, UNITS, find_places
from geoseg.dataset.split.strategies import Assigned, SplitInputs, assign, from_list
from geoseg.dataset.store import read_labels
from geoseg.errors import InputError

MUCH = 1 / 3
"""Of the pixels: leaving out more than this is said."""
NAMED = dict(zip(SPLITS, (TRAIN, VALID, TEST), strict=True))


@dataclass(frozen=True)
class Split:
    """How a data set is split.

    Attributes:
        by: the way, one of ``WAYS`` or ``list``.
        why: that way, in a few words.
        stems: of each part, in order of names.
        left_out: in no part.
        buffer: in metres and in pixels, where one was kept: ``{"m": 38.4}``.
        pixels: of each part.
        classes: of each part, the share of each class.
        leaks: what parts have in common.
        remarks: what the user should know.
    """

    by: str
    why: str
    stems: Mapping[str, tuple[str, ...]]
    left_out: tuple[str, ...]
    buffer: Mapping[str, float]
    pixels: Mapping[str, int]
    classes: Mapping[str, tuple[float, ...]]
    leaks: tuple[Leak, ...]
    remarks: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values; stems as their numbers, as the lists hold them."""
        return {
            "by": self.by,
            "why": self.why,
            "images": {part: len(stems) for part, stems in self.stems.items()},
            "left_out": list(self.left_out),
            "buffer": dict(self.buffer),
            "pixels": dict(self.pixels),
            "classes": {part: list(shares) for part, shares in self.classes.items()},
            "leaks": [leak.to_json() for leak in self.leaks],
            "remarks": list(self.remarks),
        }


def count_steps(dataset: DataSet) -> int:
    """How often :func:`gather` calls its progress."""
    return 2 * len(dataset) + sum(not item.counts for item in dataset.items)


def gather(dataset: DataSet, progress: Progress | None = None) -> SplitInputs:
    """Read what has to be known of each image: its place, its looks, its classes.

    Raises:
        SceneError: if a file cannot be read.
        InputError: if a mask holds no classes.
    """
    if len(dataset) < 2:
        raise InputError(
            f"{dataset.folder}: one image cannot be split", "geoseg tile --labels cuts a scene into patches"
        )
    places = find_places(dataset, progress)
    looks = look_at(dataset.items, progress)
    counts = np.array([_counts(item, len(dataset.classes), progress) for item in dataset.items], np.float64)
    return SplitInputs(
        tuple(item.stem for item in dataset.items),
        tuple(item.source for item in dataset.items),
        places,
        looks,
        Images(places.area, counts),
    )


def _counts(item: Item, classes: int, progress: Progress | None) -> npt.NDArray[np.int64]:
    if item.counts:
        return np.array(item.counts[:classes], np.int64)
    counts = np.zeros(classes, np.int64)
    if item.mask is not None:
        mask = read_labels(item).mask
        counts = np.bincount(mask[mask != NODATA], minlength=classes)[:classes]
    if progress:
        progress(1)
    return counts


def split_dataset(
    dataset: DataSet, facts: SplitInputs, options: SplitOptions, listed: Sequence[str] = ()
) -> Split:
    """Split a data set.

    Args:
        dataset: to be split.
        facts: from :func:`gather`.
        options: how.
        listed: stems to validate on, where a list of them is given.

    Raises:
        InputError: if it cannot be split so.
        OptionError: if the pattern does not fit.
    """
    assigned = from_list(facts, listed, options) if listed else assign(facts, options)
    _refuse_empty(dataset, assigned, options.shares)
    remarks = [
        *_on_way(facts, assigned),
        *([] if listed else _on_shares(facts, assigned, options.shares)),
        *_on_losses(facts, assigned),
    ]
    return _report(dataset, facts, assigned, remarks)


def _refuse_empty(dataset: DataSet, assigned: Assigned, shares: Shares) -> None:
    """All that was to train, or to judge, may be near what is held out, or look like it."""
    for part in (TRAIN, *shares.held):
        if not (assigned.parts == part).any():
            left_out = int((assigned.parts == OUT).sum())
            raise InputError(
                f"{dataset.folder}: no image is left for {SPLITS[part]}; {left_out:,} of {len(dataset):,} "
                "are too near or too like those of another part",
                "list fewer images, or use a smaller --buffer"
                if assigned.by == LISTED
                else "a smaller --buffer leaves out less; --strategy random ignores neighbours",
            )


def check_split(dataset: DataSet, facts: SplitInputs) -> Split:
    """Look at a data set as its lists split it.

    Raises:
        InputError: if it has no lists.
    """
    if not dataset.splits["valid"]:
        raise InputError(f"{dataset.folder}: has no valid.txt", "geoseg split writes one")
    part_of = {stem: NAMED[part] for part, stems in dataset.splits.items() for stem in stems}
    parts = np.array([part_of.get(stem, OUT) for stem in facts.stems], np.int8)
    return _report(dataset, facts, Assigned(LISTED, "as listed", parts, np.zeros(len(facts))), [])


def _report(dataset: DataSet, facts: SplitInputs, assigned: Assigned, remarks: Sequence[str]) -> Split:
    parts = assigned.parts
    stems = {
        name: tuple(facts.stems[i] for i in np.flatnonzero(parts == part)) for name, part in NAMED.items()
    }
    leaks = find_leaks(facts.stems, stems, facts.places, facts.looks)
    units = {unit: assigned.buffers[facts.places.unit == unit] for unit in (METRES, PIXELS)}
    return Split(
        assigned.by,
        assigned.why,
        stems,
        tuple(facts.stems[i] for i in np.flatnonzero(parts == OUT)),
        {UNITS[unit]: float(values.max()) for unit, values in units.items() if values.any()},
        {name: int(facts.images.weight[parts == part].sum()) for name, part in NAMED.items()},
        {name: _class_shares(facts.images, parts, part) for name, part in NAMED.items()},
        leaks,
        (*remarks, *_on_classes(dataset, facts, parts), *(w for leak in leaks for w in _on_leak(leak))),
    )


def _class_shares(images: Images, parts: Parts, part: int) -> tuple[float, ...]:
    counts = images.counts[parts == part].sum(axis=0)
    return tuple((counts / max(counts.sum(), 1.0)).round(6).tolist())


def _on_way(facts: SplitInputs, assigned: Assigned) -> list[str]:
    if assigned.by == "scenes" and not facts.places.known.any() and len(set(facts.sources)) == 1:
        return [
            "nothing tells which images are neighbours: each is taken for a scene of its own "
            "(--pattern names sequences)"
        ]
    if assigned.by == "blocks" and facts.places.by_name:
        return ["images have no georeference: their places are taken from rows and columns in their names"]
    return _on_random(facts, assigned.parts) if assigned.by == "random" else []


def _on_random(facts: SplitInputs, parts: Parts) -> list[str]:
    overlapping = near_pairs(facts.places, np.zeros(len(facts)))
    parted = int((parts[overlapping[:, 0]] != parts[overlapping[:, 1]]).sum())
    if parted:
        pairs = counted(parted, "pair")
        return [f"patches that overlap lie on both sides ({pairs}): the scores will be too high"]
    if facts.places.known.any():
        return [
            "neighbours may lie on both sides: the scores will be too high (--strategy blocks parts them)"
        ]
    if look_like_sequences(sequence_names(facts.stems)):
        return [
            "frames of one sequence lie on both sides: the scores will be too high (--strategy sequences)"
        ]
    return []


def _on_shares(facts: SplitInputs, assigned: Assigned, shares: Shares) -> list[str]:
    """A word for each part whose share is missed by more than an image."""
    images, parts = facts.images, assigned.parts
    amounts = images.amounts(parts)
    total, limit = amounts.sum(), images.weight.max() * (1 + 1e-9)
    return [
        f"{SPLITS[part]} is {amounts[part] / total:.1%} of the pixels, {shares.wanted[part]:.1%} was asked: "
        + (f"whole {assigned.by} divide no better" if assigned.by != "blocks" else "no split is nearer")
        for part in shares.held
        if abs(amounts[part] - shares.wanted[part] * total) > limit
    ]


def _on_losses(facts: SplitInputs, assigned: Assigned) -> list[str]:
    out = assigned.parts == OUT
    share = facts.images.weight[out].sum() / facts.images.weight.sum()
    if share <= MUCH:
        return []
    return [
        f"{out.sum():,} of {len(facts):,} images ({share:.0%}) are left out to keep the buffer: "
        "a smaller --buffer keeps more"
    ]


def _on_classes(dataset: DataSet, facts: SplitInputs, parts: Parts) -> list[str]:
    counts = facts.images.counts
    return [
        f"no pixel of {label.name!r} is in {name}"
        for name, part in NAMED.items()
        if (parts == part).any()
        for label in dataset.classes
        if counts[:, label.id].any() and not counts[parts == part, label.id].any()
    ]


def _on_leak(leak: Leak) -> list[str]:
    first, second = leak.parts
    pairs = ", ".join(f"{one} and {other}" for one, other in leak.examples[:2])
    found = [
        (leak.shared_pixels, f"{counted(leak.shared_pixels, 'pixel')} of {second} in images of {first} too"),
        (leak.identical, f"{counted(leak.identical, 'image')} of {second} in {first} too ({pairs})"),
        (leak.alike, f"{counted(leak.alike, 'image')} of {second} nearly like one of {first} ({pairs})"),
    ]
    return [words for count, words in found if count]
