"""What one part of a data set knows of another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from geoseg.dataset.items import SPLITS
from geoseg.dataset.split.near import nearest, shared_pixels
from geoseg.dataset.split.near_duplicates import ImageHashes, alike_pairs
from geoseg.dataset.split.options import FAR_M
from geoseg.dataset.split.places import UNITS, ImageFootprints

Ints = npt.NDArray[np.int64]
SHOWN = 5


@dataclass(frozen=True, slots=True)
class Leak:
    """What two parts have in common.

    Attributes:
        parts: their names; the second is the one that judges.
        distance: least distance between an image of one and one of the other; None where places are unknown
            or all are more than 50 km apart.
        unit: of the distance: ``m``, ``px`` or nothing.
        nearest: names of those two images, or nothing.
        shared_pixels: how many pixels of the second part lie in images of the first.
        identical: images of the second part with the same pixels as one of the first.
        alike: images of the second part that look nearly the same as one of the first.
        examples: pairs of names, identical ones first.
    """

    parts: tuple[str, str]
    distance: float | None
    unit: str
    nearest: tuple[str, ...]
    shared_pixels: int
    identical: int
    alike: int
    examples: tuple[tuple[str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @property
    def is_clean(self) -> bool:
        """Whether nothing that was trained on is judged."""
        return not (self.shared_pixels or self.identical or self.alike)


def find_leaks(
    stems: Sequence[str], splits: Mapping[str, Sequence[str]], places: ImageFootprints, looks: ImageHashes
) -> tuple[Leak, ...]:
    """Compare the parts of a split with each other.

    Args:
        stems: of all images.
        splits: part to stems.
        places: of all images.
        looks: of all images.
    """
    at = {stem: index for index, stem in enumerate(stems)}
    members = {part: np.array([at[s] for s in splits.get(part, ())], np.int64) for part in SPLITS}
    alike = alike_pairs(looks)
    return tuple(
        _leak((one, other), (members[one], members[other]), stems, places, (looks, alike))
        for one, other in combinations(SPLITS, 2)
        if len(members[one]) and len(members[other])
    )


def _leak(
    parts: tuple[str, str],
    members: tuple[Ints, Ints],
    stems: Sequence[str],
    places: ImageFootprints,
    likeness: tuple[ImageHashes, Ints],
) -> Leak:
    first, second = members
    closest = nearest(places, first, second)
    if closest is not None and closest[0] >= FAR_M:
        closest = None
    same = identical_pairs(likeness[0], first, second)
    similar = between(likeness[1], first, second)
    similar = similar[~np.isin(similar[:, 1], same[:, 1])]
    pairs = np.concatenate([same, similar])[:SHOWN]
    return Leak(
        parts,
        closest and closest[0],
        UNITS[int(places.unit[closest[1]])] if closest else "",
        (stems[closest[1]], stems[closest[2]]) if closest else (),
        shared_pixels(places, second, first),
        len(np.unique(same[:, 1])),
        len(np.unique(similar[:, 1])),
        tuple((stems[one], stems[other]) for one, other in pairs.tolist()),
    )


def between(pairs: Ints, first: Ints, second: Ints) -> Ints:
    """Those pairs that join a member of one group with one of the other, in that order."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    return both[np.isin(both[:, 0], first) & np.isin(both[:, 1], second)]


def identical_pairs(looks: ImageHashes, first: Ints, second: Ints) -> Ints:
    """For each member of the second group that has a twin in the first: the twin and it (pairs, 2)."""
    ours = first[~looks.flat[first]]
    theirs = second[~looks.flat[second]]
    content, where = np.unique(looks.content[ours], return_index=True)
    if not len(content):
        return np.empty((0, 2), np.int64)
    at = np.minimum(np.searchsorted(content, looks.content[theirs]), len(content) - 1)
    twins = content[at] == looks.content[theirs]
    return np.stack([ours[where[at[twins]]], theirs[twins]], axis=1)
