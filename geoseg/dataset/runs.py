"""Run lengths of masks: COCO's and Label Studio's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt


def run_lengths(segmentation: Mapping[str, Any], size: tuple[int, int]) -> list[int] | None:
    """The run lengths of a COCO segmentation, column by column, beginning with pixels outside.

    They are checked here, since pycocotools trusts them.

    Args:
        segmentation: with ``size`` and ``counts``, which are numbers or a compressed text.
        size: height and width of the image.

    Returns:
        None where they are not those of such an image.
    """
    counts = segmentation.get("counts")
    if segmentation.get("size") != list(size):
        return None
    if isinstance(counts, str):
        counts = uncompressed(counts)
    if not isinstance(counts, list) or not all(isinstance(c, int) and c >= 0 for c in counts):
        return None
    return counts if sum(counts) == size[0] * size[1] else None


def uncompressed(text: str) -> list[int] | None:
    """The numbers of COCO's text; None where it is no such text.

    Six bits a character, five of them of a number; from the third on differences.
    """
    counts: list[int] = []
    value = shift = 0
    for character in text:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            return None
        value |= (code & 31) << shift
        shift += 5
        if code & 32:
            continue
        if code & 16:
            value -= 1 << shift
        counts.append(value + (counts[-2] if len(counts) > 2 else 0))
        value = shift = 0
    return None if shift else counts


def lengths_of(pixels: npt.NDArray[np.bool_]) -> tuple[int, ...]:
    """The run lengths of a mask (height, width), column by column, beginning with pixels outside."""
    flat = pixels.ravel(order="F")
    ends = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff([0, *ends.tolist(), len(flat)]).tolist()
    return (0, *runs) if flat[0] else tuple(runs)


def brush_mask(codes: list[int], size: tuple[int, int]) -> npt.NDArray[np.bool_] | None:
    """The pixels of a Label Studio brush: run lengths of bits of RGBA values, whose alpha counts.

    The bits: 32 of the number of values, 5 of the word size less 1, four times 4 of the sizes less 1 that run
    lengths may have; then blocks: 1 bit whether the block repeats one value, 2 bits which size, the length
    less 1, and the value or values.

    Args:
        codes: bytes as numbers.
        size: height and width of the image.

    Returns:
        (height, width), or None where they are not those of such an image.
    """
    try:
        bits = "".join(f"{code:08b}" for code in bytes(codes))
    except (ValueError, TypeError):
        return None
    place = 0

    def take(count: int) -> int:
        nonlocal place
        place += count
        return int(bits[place - count : place], 2)

    try:
        total, word = take(32), take(5) + 1
        sizes = [take(4) + 1 for _ in range(4)]
        if total != size[0] * size[1] * 4:
            return None
        values = np.zeros(total, np.uint8)
        done = 0
        while done < total:
            repeats, length = take(1), take(sizes[take(2)]) + 1
            run = [take(word)] if repeats else [take(word) for _ in range(length)]
            values[done : done + length] = run if repeats else run[: total - done]
            done += length
    except (ValueError, OverflowError):
        return None
    return np.asarray(values.reshape(*size, 4)[..., 3] > 0)
