"""Ways to split, and which one an expert would choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from geoseg.dataset.split.assign import (
    Images,
    Parts,
    assign_blocks,
    assign_groups,
    without_near,
)
from geoseg.dataset.split.names import look_like_sequences, scene_names, sequence_names
from geoseg.dataset.split.near import as_graph, near_pairs
from geoseg.dataset.split.near_duplicates import ImageHashes, alike_pairs
from geoseg.dataset.split.options import LISTED, TRAIN, VALID, SplitOptions
from geoseg.dataset.split.places import ImageFootprints
from geoseg.errors import InputError

Ints = npt.NDArray[np.int64]

MOSTLY = 0.5
"""From this share of images with a place on, blocks are cut."""


@dataclass(frozen=True)
class SplitInputs:
    """What is known of the images.

    Attributes:
        stems: names.
        sources: where each comes from.
        places: where they lie.
        looks: what they look like.
        images: pixels and classes.
    """

    stems: tuple[str, ...]
    sources: tuple[str, ...]
    places: ImageFootprints
    looks: ImageHashes
    images: Images

    def __len__(self) -> int:
        return len(self.stems)


@dataclass(frozen=True)
class Assigned:
    """Who was put where.

    Attributes:
        by: the way taken.
        why: it was taken, in words.
        parts: (images,) the part of each.
        buffers: (images,) that were kept; zeros for none.
    """

    by: str
    why: str
    parts: Parts
    buffers: npt.NDArray[np.float64]


def assign(facts: SplitInputs, options: SplitOptions) -> Assigned:
    """Split as asked, or as suits the images.

    Raises:
        InputError: if that is impossible.
        OptionError: if the pattern does not fit.
    """
    by, why = choose(facts, options)
    none = np.zeros(len(facts))
    if by == "blocks":
        buffers = facts.places.buffers(options.buffer)
        return Assigned(by, why, _blocks(facts, options, buffers), buffers)
    if by == "random":
        return Assigned(by, why, _groups(facts, options, np.arange(len(facts)), "images"), none)
    names = (
        sequence_names(facts.stems, options.pattern)
        if by == "sequences"
        else scene_names(facts.stems, facts.sources)
    )
    _, groups = np.unique(names, return_inverse=True)
    buffers = facts.places.buffers(options.buffer)
    parts = _groups(facts, options, groups.ravel().astype(np.int64), by)
    return Assigned(by, why, without_near(parts, neighbours(facts, buffers)), buffers)


def choose(facts: SplitInputs, options: SplitOptions) -> tuple[str, str]:
    """The way to take, and why in a few words."""
    if options.by != "auto":
        return options.by, "as asked"
    if options.pattern is not None:
        return "sequences", "by the pattern given"
    if facts.places.known.mean() >= MOSTLY:
        how = "names tell rows and columns" if facts.places.by_name else "images are georeferenced"
        return "blocks", how
    names = sequence_names(facts.stems)
    if look_like_sequences(names):
        return "sequences", f"names tell {len(set(names))} sequences"
    return "scenes", "images have no place, and names tell no sequences"


def from_list(facts: SplitInputs, listed: Sequence[str], options: SplitOptions) -> Assigned:
    """Validate on the images of a list and train on the others; a buffer is kept where one was asked for."""
    wanted = set(listed)
    parts = np.array([VALID if stem in wanted else TRAIN for stem in facts.stems], np.int8)
    buffers = np.zeros(len(facts))
    if options.buffer is not None:
        buffers = facts.places.buffers(options.buffer)
        parts = without_near(parts, as_graph(near_pairs(facts.places, buffers), len(facts)))
    return Assigned(LISTED, "as listed", parts, buffers)


def neighbours(facts: SplitInputs, buffers: npt.NDArray[np.float64]) -> csr_array:
    """Who may not be parted: images within the buffer, and those that look the same wherever they lie."""
    pairs = [near_pairs(facts.places, buffers), alike_pairs(facts.looks), _twins(facts.looks)]
    return as_graph(np.concatenate(pairs), len(facts))


def _twins(looks: ImageHashes) -> Ints:
    """All pairs of identical images that are not flat."""
    compared = np.flatnonzero(~looks.flat)
    order = compared[np.argsort(looks.content[compared], kind="stable")]
    found = [np.empty((0, 2), np.int64)]
    for same in np.split(order, np.flatnonzero(np.diff(looks.content[order])) + 1):
        found.append(np.stack([same[side] for side in np.triu_indices(len(same), 1)], axis=1))
    return np.concatenate(found)


def _blocks(facts: SplitInputs, options: SplitOptions, buffers: npt.NDArray[np.float64]) -> Parts:
    near = neighbours(facts, buffers)
    centres = facts.places.corners.mean(axis=1)
    parts = assign_blocks(facts.images, centres, near, options.shares, options.seed)
    if parts is None:
        raise InputError(
            f"{len(facts)} images, none of them more than the buffer of {buffers.max():g} from all others",
            "geoseg tile --labels cuts scenes into patches; or use a smaller --buffer",
        )
    return parts


def _groups(facts: SplitInputs, options: SplitOptions, groups: Ints, what: str) -> Parts:
    parts = assign_groups(facts.images, groups, options.shares, options.seed)
    if parts is None:
        raise InputError(
            f"{groups.max() + 1} of {what} cannot be split into {1 + len(options.shares.held)} parts",
            "--pattern names sequences; --strategy random ignores neighbours",
        )
    return parts
