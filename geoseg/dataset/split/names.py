"""What names tell: which images are frames of one sequence, which are patches of one scene and where."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from geoseg.errors import OptionError

UPLOAD = re.compile(r"^[0-9a-f]{8}-(?=.)")
"""What Label Studio puts before the name of an uploaded file."""
PLACE = re.compile(r"^(.*?)[-_. ]?r?(?:ow)?_?(\d{1,6})[-_. ]c?(?:ol)?_?(\d{1,6})$", re.IGNORECASE)
"""``scene_r0512_c1024``, ``scene_02_05``: a scene, then a row and a column."""
FRAME = re.compile(r"^(.*?)[-_. ]?[A-Za-z]?\d+$")
"""``0016E5_08001``, ``run2_f03480``: a sequence, then the number of a frame."""
LEAST_FILLED = 0.3
"""Rows and columns in names are believed where at least this share of the squares they span is there."""
FEWEST_PATCHES = 4
FEWEST_FRAMES = 3
SHARE_IN_SEQUENCES = 0.8


def bare(stem: str) -> str:
    """A name without what an upload put before it."""
    return UPLOAD.sub("", stem)


def sequence_names(stems: Sequence[str], pattern: str | None = None) -> list[str]:
    """The sequence of each image.

    Args:
        stems: names of images.
        pattern: a regular expression whose first group is the sequence; None: what stands before a name's
            last number.

    Raises:
        OptionError: if the pattern is none, has no group, or fits a name not at all.
    """
    if pattern is None:
        found = [FRAME.match(bare(stem)) for stem in stems]
        return [m[1] if m else stem for m, stem in zip(found, stems, strict=True)]
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise OptionError(f"--pattern {pattern!r} is no regular expression: {error}") from error
    if compiled.groups < 1:
        raise OptionError(f"--pattern {pattern!r} has no group", "put brackets around the sequence's name")
    names = []
    for stem in stems:
        match = compiled.search(stem)
        if match is None or match[1] is None:
            raise OptionError(f"--pattern {pattern!r} does not fit {stem!r}", "try it on a few names first")
        names.append(match[1])
    return names


def look_like_sequences(names: Sequence[str]) -> bool:
    """Whether these are sequences: two or more, and most images in one of at least three frames."""
    sizes = Counter(names)
    within = sum(size for size in sizes.values() if size >= FEWEST_FRAMES)
    return len(sizes) > 1 and within >= SHARE_IN_SEQUENCES * len(names)


def scene_names(stems: Sequence[str], sources: Sequence[str]) -> list[str]:
    """The scene of each image: its name without row and column, else its source where there are several."""
    places = named_places(stems, sources)
    several = len(set(sources)) > 1
    return [
        f"{source}/{places[i][0]}" if i in places else source if several else stem
        for i, (stem, source) in enumerate(zip(stems, sources, strict=True))
    ]


def named_places(stems: Sequence[str], sources: Sequence[str]) -> Mapping[int, tuple[str, int, int]]:
    """Scene, row and column of the images, by position, whose names tell them credibly.

    Returns:
        Rows and columns as the names have them: pixels, or places in a grid of patches.
    """
    scenes: dict[tuple[str, str], dict[int, tuple[int, int]]] = defaultdict(dict)
    for index, (stem, source) in enumerate(zip(stems, sources, strict=True)):
        if match := PLACE.match(bare(stem)):
            scenes[source, match[1]][index] = int(match[2]), int(match[3])
    return {
        index: (scene, *place)
        for (_, scene), places in scenes.items()
        if _is_grid(list(places.values()))
        for index, place in places.items()
    }


def _is_grid(places: Sequence[tuple[int, int]]) -> bool:
    rows, cols = ({place[axis] for place in places} for axis in (0, 1))
    distinct = len(set(places)) == len(places)
    filled = len(places) >= LEAST_FILLED * len(rows) * len(cols)
    return distinct and filled and len(places) >= FEWEST_PATCHES and min(len(rows), len(cols)) > 1
