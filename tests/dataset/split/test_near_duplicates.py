"""Looks: copies and near copies are found, other images are not."""

from __future__ import annotations

import io
import tracemalloc
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from geoseg.dataset.items import Item
from geoseg.dataset.split import near_duplicates
from geoseg.dataset.split.leakage import between, identical_pairs
from geoseg.dataset.split.near_duplicates import MOST_BITS, SIDE, ImageHashes, alike_pairs, look_at, looks_of

Pixels = npt.NDArray[np.uint8]


def picture(seed: int, size: int = 96) -> Pixels:
    """Soft shapes, as photographs have them."""
    small = np.random.default_rng(seed).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    return np.asarray(Image.fromarray(small).resize((size, size), Image.Resampling.BICUBIC))


def as_jpeg(pixels: Pixels, quality: int) -> Pixels:
    """The same, through a JPEG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def look(folder: Path, pictures: list[Pixels]) -> ImageHashes:
    """At these pictures, as files."""
    items = []
    for number, pixels in enumerate(pictures):
        path = folder / f"{number}.png"
        Image.fromarray(pixels).save(path)
        items.append(Item(path.stem, path, None))
    return look_at(items)


def test_copies_are_found(tmp_path: Path) -> None:
    """The same pixels are identical; compressed, brightened, resized ones nearly so; others are neither."""
    first = picture(0)
    bright = np.clip(first * 0.8 + 30, 0, 255).astype(np.uint8)
    larger = np.asarray(Image.fromarray(first).resize((192, 192), Image.Resampling.BICUBIC))
    pictures = [first, first.copy(), as_jpeg(first, 60), bright, larger, picture(1), picture(2)]
    looks = look(tmp_path, pictures)

    same = identical_pairs(looks, np.array([0]), np.arange(1, 7))
    assert same.tolist() == [[0, 1]]
    found = {tuple(pair) for pair in alike_pairs(looks).tolist()}
    assert {(0, 2), (0, 3), (0, 4), (1, 2)} <= found
    assert all(max(pair) < 5 for pair in found)


def test_flat_images_are_not_compared(tmp_path: Path) -> None:
    """All water looks alike."""
    looks = look(tmp_path, [np.full((40, 40, 3), 60, np.uint8)] * 2 + [picture(0)])

    assert looks.flat.tolist() == [True, True, False]
    assert not len(alike_pairs(looks))
    assert not len(identical_pairs(looks, np.array([0]), np.array([1])))


def test_rows_read_a_few_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Large images are never held whole; what is seen is the same."""
    whole = look(tmp_path, [picture(3, 130)])
    monkeypatch.setattr(near_duplicates, "PIXELS_AT_ONCE", 130 * 7)
    parts = look(tmp_path, [picture(3, 130)])

    np.testing.assert_allclose(whole.squares, parts.squares, atol=1e-5)
    assert whole.hashes.tolist() == parts.hashes.tolist()


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(2, 80))
def test_buckets_miss_no_pair(seed: int, count: int) -> None:
    """Against comparing each with each."""
    rng = np.random.default_rng(seed)
    base = rng.random((4, SIDE, SIDE))
    noise = rng.choice([0.0, 0.01, 0.1, 1.0], count)[:, None, None] * rng.normal(size=(count, SIDE, SIDE))
    greys = (base[rng.integers(0, 4, count)] + noise).astype(np.float32)
    looks = looks_of(list(greys), [str(n) for n in range(count)])

    bits = np.unpackbits(looks.hashes, axis=1)
    distance = (bits[:, None] != bits[None]).sum(axis=2)
    correlation = looks.squares @ looks.squares.T
    expected = np.argwhere(np.triu((distance <= MOST_BITS) & (correlation >= near_duplicates.ALIKE), 1))
    assert alike_pairs(looks).tolist() == expected.tolist()


def test_many_alike_are_compared_a_few_at_a_time() -> None:
    """Frames of a camera that stands still: their squares are not copied for all pairs at once."""
    frame = np.random.default_rng(0).random((SIDE, SIDE)).astype(np.float32)
    looks = looks_of([frame + n * 1e-4 for n in range(400)], [str(n) for n in range(400)])

    tracemalloc.start()
    found = alike_pairs(looks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 400 * 399 // 2
    assert peak < 200_000_000


def test_pairs_between_groups() -> None:
    """In the order of the groups, whichever way they were found."""
    pairs = np.array([[0, 3], [1, 2], [3, 4]])

    assert sorted(between(pairs, np.array([3, 1]), np.array([0, 2])).tolist()) == [[1, 2], [3, 0]]
