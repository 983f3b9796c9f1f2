"""How well matched outlines fit: distances of vertices, and how many there are."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import shapely

Floats = npt.NDArray[np.float64]
Longs = npt.NDArray[np.int64]
Geometries = npt.NDArray[np.object_]


def polis(one: Geometries, other: Geometries) -> Floats:
    """PoLiS distance of pairs of outlines (Avbelj, Müller and Bamler, GRSL 2015).

    Half the mean distance of the vertices of one to the boundary of the other, plus the same the other way
    round. Exteriors only; the vertex that closes a ring is not counted.

    Args:
        one: ``(count,)`` polygons or multipolygons.
        other: likewise, in the same coordinates.

    Returns:
        ``(count,)`` in units of the coordinates.
    """
    return (_to_boundary(one, other) + _to_boundary(other, one)) / 2


def _to_boundary(one: Geometries, other: Geometries) -> Floats:
    """Mean distance of the vertices of one to the exterior boundaries of the other."""
    xy, owner = _corners(one)
    boundary = _exteriors(other)
    shapely.prepare(boundary)
    apart = shapely.distance(shapely.points(xy), boundary[owner])
    count = np.bincount(owner, minlength=len(one))
    return np.asarray(np.bincount(owner, apart, len(one)) / np.maximum(count, 1), np.float64)


def _exteriors(shapes: Geometries) -> Geometries:
    parts, owner = shapely.get_parts(shapes, return_index=True)
    return np.asarray(shapely.multilinestrings(shapely.get_exterior_ring(parts), indices=owner))


def _corners(shapes: Geometries) -> tuple[Floats, Longs]:
    """Vertices of the exteriors without those that close a ring, and whose they are."""
    parts, part_owner = shapely.get_parts(shapes, return_index=True)
    xy, ring = shapely.get_coordinates(shapely.get_exterior_ring(parts), return_index=True)
    kept = np.r_[ring[1:] == ring[:-1], False] if len(ring) else np.zeros(0, np.bool_)
    return np.asarray(xy[kept], np.float64), np.asarray(part_owner[ring[kept]], np.int64)


def vertices(shapes: Geometries) -> Longs:
    """Number of vertices of each shape, holes included; those that close a ring are not counted."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    rings = 1 + shapely.get_num_interior_rings(parts)
    own = shapely.get_num_coordinates(parts) - rings
    return np.asarray(np.bincount(owner, own, len(shapes)), np.int64)


def complexity_aware_iou(iou: Floats, found: Longs, true: Longs) -> Floats:
    """C-IoU (Zorzi et al., PolyWorld, CVPR 2022): IoU lowered where outlines have too many or few vertices.

    Args:
        iou: ``(count,)``.
        found: vertices of the proposals.
        true: vertices of the truth.
    """
    return np.asarray(iou * (1 - np.abs(found - true) / np.maximum(found + true, 1)), np.float64)
