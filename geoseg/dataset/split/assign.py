"""Who trains and who judges: the arithmetic of splits, on numbers alone."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array

from geoseg.dataset.split.options import OUT, TEST, TRAIN, VALID, Shares

Floats = npt.NDArray[np.float64]
Parts = npt.NDArray[np.int8]
Ints = npt.NDArray[np.int64]

BLOCKS = (1, 2, 3, 4, 6, 8)
"""Numbers of blocks that are tried for each part that is held out."""
TRIALS = 8
"""Random places tried for each number of blocks."""
HALVINGS = 9
FEW_BLOCKS = 0.3
"""One block costs as much as this share of all images left out: it tells of one place only."""
MISS = 10.0
"""What a share that is missed costs, of all pixels."""
FINISHED = 6
"""Of the trials, the best are brought to the shares exactly."""
GROUP_TRIALS = 400
GROUP_WAYS = 4096
"""Where there are no more ways to deal groups out, all of them are tried."""


@dataclass(frozen=True)
class Images:
    """What is to be split.

    Attributes:
        weight: (images,) pixels.
        counts: (images, classes) pixels of each class.
    """

    weight: Floats
    counts: Floats

    def amounts(self, parts: Parts) -> Floats:
        """Pixels of each part: (3,)."""
        kept = parts >= 0
        return np.asarray(np.bincount(parts[kept], self.weight[kept], minlength=3), np.float64)

    def misses(self, parts: Parts, shares: Shares) -> Floats:
        """By how many pixels each part has more than its share: (3,)."""
        amounts = self.amounts(parts)
        return np.asarray(amounts - shares.wanted * amounts.sum())

    def is_met(self, parts: Parts, shares: Shares) -> bool:
        """Whether each part has its share within one image, and none is empty."""
        amounts = self.amounts(parts)
        within = np.abs(self.misses(parts, shares)) <= self.weight.max() * (1 + 1e-9)
        return bool(within.all() and (amounts[list(shares.held)] > 0).all() and amounts[TRAIN] > 0)

    def imbalance(self, parts: Parts, shares: Shares) -> float:
        """How differently classes are spread over the parts held out and over all images, 0 to 1."""
        everywhere = self.counts.sum(axis=0)
        used = everywhere > 0
        if not used.any():
            return 0.0
        share = everywhere[used] / everywhere.sum()
        found = 0.0
        for part in shares.held:
            here = self.counts[parts == part].sum(axis=0)[used]
            own = here / max(here.sum(), 1.0)
            found += float(np.mean(np.abs(own - share) / (own + share))) / len(shares.held)
        return found


def assign_blocks(
    images: Images, centres: Floats, near: csr_array, shares: Shares, seed: int = 0
) -> Parts | None:
    """Hold out compact blocks; what lies within the buffer of a block is left out.

    Blocks grow around random images by the nearest next. Of many such splits the one is taken that leaves out
    least and has classes spread like the whole; some images more are left out where a share was missed.

    Args:
        images: to be split.
        centres: (images, 2) of their footprints.
        near: (images, images), symmetric: who is within the buffer of whom.
        shares: asked for.
        seed: of the random places.

    Returns:
        The part of each image; no two images of different parts are near. None where all images are near each
        other.
    """
    rng = np.random.default_rng(seed)
    trials: list[tuple[float, int, Parts]] = []
    for number, (blocks, parts) in enumerate(_trials(images, centres, near, shares, rng)):
        trials.append((_cost(images, parts, shares, blocks), number, parts))
    best = [(parts, cost) for cost, _, parts in sorted(trials)[:FINISHED]]
    finished = [(_finish(images, near, parts, shares, rng), cost) for parts, cost in best]
    met = [parts for parts, _ in finished if images.is_met(parts, shares)]
    if not met:
        pair = _one_pair(images, near, shares, rng)
        return None if pair is None else _finish(images, near, pair, shares, rng)
    return min(met, key=lambda parts: _cost(images, parts, shares, 1))


def _trials(
    images: Images, centres: Floats, near: csr_array, shares: Shares, rng: np.random.Generator
) -> Iterator[tuple[int, Parts]]:
    count = len(centres)
    parts = len(shares.held)
    for blocks in BLOCKS:
        if blocks * parts > max(1, count // 2) and blocks > 1:
            break
        for _ in range(TRIALS):
            if blocks * parts > count:
                return
            seeds = rng.choice(count, blocks * parts, replace=False)
            found = _grown(images, centres, near, shares, seeds)
            if found is not None:
                yield blocks, found


def _grown(images: Images, centres: Floats, near: csr_array, shares: Shares, seeds: Ints) -> Parts | None:
    """Blocks around seeds, grown until they and what is left to train on have their shares."""
    distance = np.abs(centres[:, None] - centres[seeds][None]).max(axis=2)
    owner = distance.argmin(axis=1)
    reach = distance[np.arange(len(centres)), owner]
    owner = np.asarray(shares.held)[owner % len(shares.held)]
    size = np.zeros(len(centres))  # of a part, once it has grown up to this image, by its share
    for part in shares.held:
        own = np.flatnonzero(owner == part)
        order = own[np.argsort(reach[own], kind="stable")]
        size[order] = np.cumsum(images.weight[order]) / shares.wanted[part]
    low, high = 0.0, float(images.weight.sum()) * 1.5
    best: tuple[float, Parts] | None = None
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        parts = np.where(size <= middle, owner, TRAIN).astype(np.int8)
        parts = without_near(parts, near)
        over = -images.misses(parts, shares)[TRAIN]
        low, high = (low, middle) if over > 0 else (middle, high)
        amounts = images.amounts(parts)
        if (amounts[[TRAIN, *shares.held]] > 0).all() and (best is None or abs(over) < best[0]):
            best = abs(over), parts
    return best and best[1]


def without_near(parts: Parts, near: csr_array) -> Parts:
    """Leave out who is near a part that matters more: training near any other, test near validation."""
    found = parts.copy()
    by_valid = near @ (parts == VALID).astype(np.float32) > 0
    found[by_valid & (parts == TEST)] = OUT
    by_held = by_valid | (near @ (found == TEST).astype(np.float32) > 0)
    found[by_held & (parts == TRAIN)] = OUT
    return found


def _cost(images: Images, parts: Parts, shares: Shares, blocks: int) -> float:
    total = float(images.weight.sum())
    missed = np.maximum(np.abs(images.misses(parts, shares)) - images.weight.max(), 0).max() / total
    lost = float(images.weight[parts == OUT].sum()) / total
    return images.imbalance(parts, shares) + lost + MISS * float(missed) + FEW_BLOCKS / blocks


def _finish(images: Images, near: csr_array, parts: Parts, shares: Shares, rng: np.random.Generator) -> Parts:
    return _refilled(images, near, _trimmed(images, near, parts, shares), shares, rng)


def _trimmed(images: Images, near: csr_array, parts: Parts, shares: Shares) -> Parts:
    """Leave out images of the part that has too much, those at the buffer first, until shares are met."""
    parts = parts.copy()
    limit = images.weight.max()
    rim = near @ (parts == OUT).astype(np.float32)
    for _ in range(len(parts)):
        misses = images.misses(parts, shares)
        worst = int(misses.argmax())
        members = np.flatnonzero(parts == worst)
        if np.abs(misses).max() <= limit or len(members) < 2:
            break
        order = members[np.argsort(-rim[members], kind="stable")]
        surplus = max((misses[worst] - limit) / (1 - shares.wanted[worst]), 0.0)
        enough = int(np.searchsorted(np.cumsum(images.weight[order]), surplus)) + 1
        parts[order[: min(enough, len(order) - 1)]] = OUT
    return parts


def _refilled(
    images: Images, near: csr_array, parts: Parts, shares: Shares, rng: np.random.Generator
) -> Parts:
    """Take back who has no neighbour in another part, while the shares stay met."""
    parts = parts.copy()
    amounts, wanted, limit = images.amounts(parts), shares.wanted, images.weight.max() * (1 + 1e-9)
    for index in rng.permutation(np.flatnonzero(parts == OUT)):
        around = parts[near.indices[near.indptr[index] : near.indptr[index + 1]]]
        kinds = set(around[around >= 0].tolist())
        if len(kinds) > 1:
            continue
        lacking = int((amounts - wanted * amounts.sum())[[TRAIN, *shares.held]].argmin())
        part = kinds.pop() if kinds else (TRAIN, *shares.held)[lacking]
        more = amounts.copy()
        more[part] += images.weight[index]
        if np.abs(more - wanted * more.sum()).max() <= limit:
            parts[index], amounts = part, more
    return parts


def _one_pair(images: Images, near: csr_array, shares: Shares, rng: np.random.Generator) -> Parts | None:
    """Hold out single images: the last resort where blocks leave nothing to train on."""
    count = len(images.weight)
    degree = np.diff(near.indptr)
    for first in np.argsort(degree, kind="stable"):
        parts = np.zeros(count, np.int8)
        parts[first] = VALID
        if shares.test:
            free = np.flatnonzero(without_near(parts, near) == TRAIN)
            if len(free) < 2:
                continue
            parts[rng.choice(free)] = TEST
        found = without_near(parts, near)
        if (images.amounts(found)[[TRAIN, *shares.held]] > 0).all():
            return found
    return None


def assign_groups(images: Images, groups: Ints, shares: Shares, seed: int = 0) -> Parts | None:
    """Hold out whole groups: those that come nearest to the shares, with classes spread like the whole.

    Args:
        images: to be split.
        groups: (images,) the number of each image's group, from 0.
        shares: asked for.
        seed: of the random orders that are tried where there are too many ways to try them all.

    Returns:
        The part of each image; None where there are fewer groups than parts.
    """
    count = int(groups.max()) + 1
    if count < 1 + len(shares.held):
        return None
    weight = np.asarray(np.bincount(groups, images.weight, minlength=count), np.float64)
    counts = np.zeros((count, images.counts.shape[1]))
    np.add.at(counts, groups, images.counts)
    whole = Images(weight, counts)
    best: tuple[float, Parts] | None = None
    for parts in _ways(weight, shares, seed):
        cost = MISS * float(np.abs(whole.misses(parts, shares)).max()) / float(weight.sum())
        cost += whole.imbalance(parts, shares)
        if best is None or cost < best[0]:
            best = cost, parts
    assert best is not None
    return best[1][groups]


def _ways(weight: Floats, shares: Shares, seed: int) -> Iterator[Parts]:
    """All ways to deal groups out that leave no part empty; random ones where those are too many."""
    parts = (TRAIN, *shares.held)
    if len(parts) ** len(weight) <= GROUP_WAYS:
        ways = itertools.product(parts, repeat=len(weight))
        yield from (np.array(way, np.int8) for way in ways if set(way) == set(parts))
        return
    rng = np.random.default_rng(seed)
    for _ in range(GROUP_TRIALS):
        yield _dealt(weight, shares, rng)


def _dealt(weight: Floats, shares: Shares, rng: np.random.Generator) -> Parts:
    """Groups in a random order: the first ones to validation, the next to the test, as near as they come."""
    parts = np.zeros(len(weight), np.int8)
    order = rng.permutation(len(weight))
    start = 0
    for place, part in enumerate(shares.held):
        most = len(order) - (len(shares.held) - place)  # one is left for each part to come
        reached = np.cumsum(weight[order[start:most]])
        target = shares.wanted[part] * weight.sum()
        number = int(np.abs(reached - target).argmin()) + 1
        parts[order[start : start + number]] = part
        start += number
    return parts
