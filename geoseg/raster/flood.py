"""Regions of one value that are connected to given pixels, found tile by tile.

Only tiles that a region reaches are read, so the cost is that of the region, not of the scene. What is kept
of a tile are the runs of the regions in it, compressed.
"""

from __future__ import annotations

import heapq
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from geoseg.core.grid import GeoGrid
from geoseg.core.strip import Mask
from geoseg.core.window import Window
from geoseg.raster.runs import Ints, Runs

Tile = tuple[int, int]
"""Row and column of a tile."""
Points = NDArray[np.int64]
"""(points, 2) rows and columns of pixels."""

LEAST_SIDE = 512
WHOLE_PIXELS = 1 << 20
MOST_PIXELS = 1 << 22
"""Tiles are at least 512 pixels wide and high, so that few have to be joined, and hold no more than some
million, so that memory stays flat. Scenes up to the size of four of them are one tile."""


@dataclass(frozen=True, slots=True)
class Tiling:
    """A scene cut into tiles that follow the blocks of its file.

    Attributes:
        size: ``(height, width)`` of the scene.
        tile: ``(height, width)`` of all but the last tiles.
    """

    size: tuple[int, int]
    tile: tuple[int, int]

    @classmethod
    def of(cls, grid: GeoGrid, block: tuple[int, int]) -> Tiling:
        """Tiles for a file with blocks of ``(height, width)``."""
        height, width = grid.size
        if height * width <= WHOLE_PIXELS:
            return cls(grid.size, grid.size)
        across = min(width, _multiple(block[1], LEAST_SIDE))
        if across == width and block[1] >= width:
            down = _multiple(block[0], max(1, WHOLE_PIXELS // width))
        else:
            down = _multiple(block[0], LEAST_SIDE)
        across = min(across, MOST_PIXELS)
        return cls(grid.size, (max(1, min(down, height, MOST_PIXELS // across)), across))

    @property
    def count(self) -> int:
        """How many tiles there are."""
        down, across = (-(-n // m) for n, m in zip(self.size, self.tile, strict=True))
        return down * across

    def window(self, tile: Tile) -> Window:
        """The pixels of a tile."""
        row, col = tile[0] * self.tile[0], tile[1] * self.tile[1]
        return Window(row, col, min(self.tile[0], self.size[0] - row), min(self.tile[1], self.size[1] - col))

    def tile_of(self, row: int, col: int) -> Tile:
        """The tile that holds a pixel."""
        return row // self.tile[0], col // self.tile[1]

    def around(self, tile: Tile) -> dict[str, Tile]:
        """Tiles that share an edge with a tile, by the side on which they lie."""
        row, col = tile
        found = {
            "top": (row - 1, col),
            "bottom": (row + 1, col),
            "left": (row, col - 1),
            "right": (row, col + 1),
        }
        return {side: near for side, near in found.items() if self.holds(near)}

    def holds(self, tile: Tile) -> bool:
        """Whether there is such a tile."""
        counts = (-(-n // m) for n, m in zip(self.size, self.tile, strict=True))
        return all(0 <= index < count for index, count in zip(tile, counts, strict=True))


def _multiple(step: int, least: int) -> int:
    return -(-least // step) * step


OPPOSITE = {"top": "bottom", "bottom": "top", "left": "right", "right": "left"}


@dataclass(slots=True)
class _FloodRegion:
    """What is known of a region, or of a part of one until parts meet."""

    pixels: int = 0
    corners: int = 0
    reached: bool = False

    def add(self, other: _FloodRegion) -> None:
        self.pixels += other.pixels
        self.corners += other.corners
        self.reached = self.reached or other.reached


class Flood:
    """Follows regions from starting pixels on.

    Args:
        tiling: of the scene.
        read: gives the mask of the pixels that have the value, of a window.
        starts: pixels that have the value.

    Attributes:
        visited: tiles that were read, with the runs of regions in them, packed.
    """

    def __init__(self, tiling: Tiling, read: Callable[[Window], Mask], starts: Points) -> None:
        self._tiling, self._read = tiling, read
        self._starts: dict[Tile, list[tuple[int, int]]] = defaultdict(list)
        for row, col in starts.tolist():
            self._starts[tiling.tile_of(row, col)].append((row, col))
        self._parent: list[int] = [0]
        self._regions: dict[int, _FloodRegion] = {}
        self._exits: dict[int, set[Tile]] = defaultdict(set)
        self._edges: dict[Tile, dict[str, Ints]] = {}
        self._nodes: dict[Tile, bytes] = {}
        self.visited: dict[Tile, bytes] = {}
        self._queue: list[Tile] = sorted(self._starts)

    def run(self, wanted: Callable[[int, int], bool]) -> dict[Tile, Runs]:
        """Follow all regions to their ends.

        Args:
            wanted: told a region's pixels and how many corners of the scene it holds, says whether it counts.

        Returns:
            The runs, within each tile, of the regions that count.
        """
        while self._queue:
            tile = heapq.heappop(self._queue)  # from top to bottom, as files are decoded fastest
            if tile not in self.visited:
                self._visit(tile)
        counts = {root for root, r in self._regions.items() if r.reached and wanted(r.pixels, r.corners)}
        return {tile: runs for tile in self.visited for runs in [self._runs_of(tile, counts)] if len(runs)}

    def _runs_of(self, tile: Tile, counts: set[int]) -> Runs:
        nodes = np.frombuffer(zlib.decompress(self._nodes[tile]), np.int32)
        taken = {node: self._root(node) in counts for node in np.unique(nodes).tolist()}
        which = np.array([taken[node] for node in nodes.tolist()], np.bool_)
        return Runs.unpack(self.visited[tile]).chosen(which)

    def _visit(self, tile: Tile) -> None:
        window = self._tiling.window(tile)
        runs = Runs.of(self._read(window))
        parts = runs.components(window.width)
        starts = [(r - window.row, c - window.col) for r, c in self._starts.get(tile, ())]
        at_start = _runs_at(runs, starts)
        at_edge = (runs.row == 0) | (runs.row == window.height - 1)
        at_edge |= (runs.start == 0) | (runs.stop == window.width)
        follow = np.isin(parts, np.unique(parts[at_edge | at_start]))  # others end within the tile, unreached
        runs, parts, at_start = runs.chosen(follow), parts[follow], at_start[follow]
        index = np.unique(parts, return_inverse=True)[1]
        nodes = (index + len(self._parent)).astype(np.int32)
        self._note(runs, nodes, at_start, window)
        self.visited[tile], self._nodes[tile] = runs.pack(), zlib.compress(nodes.tobytes(), 1)
        self._edges[tile] = _edges(runs, nodes, window)
        self._connect(tile)

    def _note(self, runs: Runs, nodes: Ints, at_start: NDArray[np.bool_], window: Window) -> None:
        """Begin a region for each part."""
        base = len(self._parent)
        count = int(nodes.max()) + 1 - base if len(nodes) else 0
        pixels = np.bincount(nodes - base, runs.stop - runs.start, count)
        corners = np.bincount(nodes - base, self._corners_in(runs, window), count)
        reached = np.bincount(nodes - base, at_start, count) > 0
        for part in range(count):
            self._parent.append(base + part)
            self._regions[base + part] = _FloodRegion(
                int(pixels[part]), int(corners[part]), bool(reached[part])
            )

    def _corners_in(self, runs: Runs, window: Window) -> Ints:
        height, width = self._tiling.size
        row = runs.row + window.row
        outer = (row == 0).astype(np.int32) + ((row == height - 1) & (height > 1))
        left, right = runs.start + window.col == 0, runs.stop + window.col == width
        corners: Ints = outer * (left.astype(np.int32) + (right & (width > 1)))
        return corners

    def _connect(self, tile: Tile) -> None:
        """Join a tile's parts with those of tiles read before; where a region leads to others, go there."""
        edges = self._edges[tile]
        for side, near in self._tiling.around(tile).items():
            mine = edges[side]
            if near in self.visited:
                theirs = self._edges[near][OPPOSITE[side]]
                both = (mine > 0) & (theirs > 0)
                for one, other in np.unique(np.stack([mine[both], theirs[both]]), axis=1).T.tolist():
                    self._join(one, other)
            else:
                for node in np.unique(mine[mine > 0]).tolist():
                    self._exits[self._root(node)].add(near)
        for root in {
            self._root(node) for edge in edges.values() for node in np.unique(edge[edge > 0]).tolist()
        }:
            self._follow(root)

    def _follow(self, root: int) -> None:
        if self._regions[root].reached:
            for tile in self._exits.pop(root, ()):
                heapq.heappush(self._queue, tile)

    def _join(self, one: int, other: int) -> None:
        one, other = self._root(one), self._root(other)
        if one == other:
            return
        self._parent[other] = one
        self._regions[one].add(self._regions.pop(other))
        self._exits[one] |= self._exits.pop(other, set())

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node


def _runs_at(runs: Runs, pixels: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    """Which runs hold any of the pixels: (runs,)."""
    found = np.zeros(len(runs), np.bool_)
    for row, col in pixels:
        found |= (runs.row == row) & (runs.start <= col) & (col < runs.stop)
    return found


def _edges(runs: Runs, nodes: Ints, window: Window) -> dict[str, Ints]:
    """The part that each pixel of a tile's four edges belongs to, 0 for none."""
    edges = {}
    for side, row in (("top", 0), ("bottom", window.height - 1)):
        edges[side] = np.zeros(window.width, np.int32)
        first, stop = np.searchsorted(runs.row, (row, row + 1))
        for i in range(first, stop):
            edges[side][runs.start[i] : runs.stop[i]] = nodes[i]
    for side, at in (("left", runs.start == 0), ("right", runs.stop == window.width)):
        edges[side] = np.zeros(window.height, np.int32)
        edges[side][runs.row[at]] = nodes[at]
    return edges


def tiles_near(tiles: Iterable[Tile], tiling: Tiling) -> Sequence[Tile]:
    """These tiles and the eight around each, in order."""
    near = {(r + i, c + j) for r, c in tiles for i in (-1, 0, 1) for j in (-1, 0, 1)}
    return sorted(tile for tile in near if tiling.holds(tile))
