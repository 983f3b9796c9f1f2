"""Which images are near each other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely
from scipy.sparse import coo_array, csr_array

from geoseg.dataset.split.places import ImageFootprints

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Pairs = npt.NDArray[np.int64]

ROUNDING = 1e-6
"""Relative: images exactly one buffer apart are not within it, also where a map's numbers were rounded."""


def footprints(places: ImageFootprints) -> npt.NDArray[np.object_]:
    """Polygons (images,)."""
    return np.asarray(shapely.polygons(places.corners))


def near_pairs(places: ImageFootprints, buffers: Floats) -> Pairs:
    """Pairs of images less than a buffer apart, or with a pixel in common: (pairs, 2), the smaller first.

    Args:
        places: of the images.
        buffers: (images,) in the units of the places.
    """
    known = np.flatnonzero(places.known)
    shapes = footprints(places)[known]
    tree = shapely.STRtree(shapes)
    limits = np.maximum(buffers[known], places.pixel[known] * ROUNDING) * (1 - ROUNDING)
    found = tree.query(shapes, predicate="dwithin", distance=limits)
    first, second = known[found[0]], known[found[1]]
    pairs = np.stack([first, second], axis=1)[first < second]
    if not buffers.any():  # to touch is not to share
        pairs = pairs[shared_area(places, pairs) > places.pixel[pairs[:, 0]] ** 2 * ROUNDING]
    return np.asarray(pairs, np.int64)


def as_graph(pairs: Pairs, count: int) -> csr_array:
    """Pairs as a symmetric matrix of numbers (count, count)."""
    both = np.concatenate([pairs, pairs[:, ::-1]])
    ones = np.ones(len(both), np.float32)
    graph = coo_array((ones, (both[:, 0], both[:, 1])), shape=(count, count)).tocsr()
    graph.sum_duplicates()
    return graph


def shared_area(places: ImageFootprints, pairs: Pairs) -> Floats:
    """Area that the images of pairs have in common, in units squared: (pairs,)."""
    shapes = footprints(places)
    return np.asarray(shapely.area(shapely.intersection(shapes[pairs[:, 0]], shapes[pairs[:, 1]])))


def nearest(places: ImageFootprints, first: Ints, second: Ints) -> tuple[float, int, int] | None:
    """The least distance between images of two groups, and between which; None where none has a place.

    Args:
        places: of all images.
        first: positions of one group.
        second: of the other.
    """
    first, second = first[places.known[first]], second[places.known[second]]
    best: tuple[float, int, int] | None = None
    for unit in np.unique(places.unit[first]):
        ours, theirs = first[places.unit[first] == unit], second[places.unit[second] == unit]
        if not len(theirs):
            continue
        shapes = footprints(places)
        tree = shapely.STRtree(shapes[theirs])
        pairs, distances = tree.query_nearest(shapes[ours], return_distance=True, all_matches=False)
        at = int(np.argmin(distances))
        found = float(distances[at]), int(ours[pairs[0, at]]), int(theirs[pairs[1, at]])
        best = found if best is None or found[0] < best[0] else best
    return best


def shared_pixels(places: ImageFootprints, first: Ints, second: Ints) -> int:
    """How many pixels of a group's images lie in images of another group; each is counted once per image."""
    shapes = footprints(places)
    ours, theirs = first[places.known[first]], second[places.known[second]]
    if not len(ours) or not len(theirs):
        return 0
    tree = shapely.STRtree(shapes[theirs])
    which, other = tree.query(shapes[ours], predicate="intersects")
    total = 0.0
    for index in np.unique(which):
        covered = shapely.union_all(shapes[theirs[other[which == index]]])
        area = shapely.area(shapely.intersection(covered, shapes[ours[index]]))
        total += float(area) / float(places.pixel[ours[index]]) ** 2
    return round(total)
