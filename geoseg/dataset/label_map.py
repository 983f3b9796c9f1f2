"""From what masks hold and what a class list says to rules; or to a message that says why they do not fit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from geoseg.core import NODATA, ClassList, LabelClass, usual_colour
from geoseg.core.classes import MAX_CLASSES
from geoseg.dataset.classlists import BACKGROUNDS, ClassTable, ListedClass, background_first
from geoseg.dataset.masks import Key, MaskRules, MaskSurvey, nearest
from geoseg.dataset.palette import UNKNOWN, Palette, hex_of
from geoseg.errors import InputError, OptionError

UNKNOWNS = {"refuse": NODATA, "ignore": NODATA, "background": 0}
"""What may become of colours or values that are of no class, and their id then."""
SHOWN = 8
NEAR = 48
"""Colours this near to listed ones are traces of a compression, not forgotten classes."""


@dataclass(frozen=True)
class MaskOptions:
    """How masks are to be taken.

    Attributes:
        tolerance: how far a value, or each channel of a colour, may be off; None: 0, but for masks of a
            lossy compression :func:`usual_tolerance`.
        unknown: what becomes of colours or values of no class: ``refuse``, ``ignore`` or ``background``.
        label_offset: what masks' values have in addition to ids: 1 where they begin with 1.
        mapping: value -> class id; all others are ignored; None: values are those of the class list.
        nodata: ``file``: what each mask declares as no data is ignored; ``none``: it counts; or the value
            that is ignored in its place.
    """

    tolerance: int | None = None
    unknown: str = "refuse"
    label_offset: int = 0
    mapping: Mapping[int, int] | None = None
    nodata: str | int = "file"

    def __post_init__(self) -> None:
        if self.unknown not in UNKNOWNS:
            raise OptionError(f"unknown {self.unknown!r}", f"use one of {', '.join(UNKNOWNS)}")
        if self.mapping is not None and not all(
            0 <= v < MAX_CLASSES or v == NODATA for v in self.mapping.values()
        ):
            raise OptionError("map: ids of classes go from 0 to 249", "255 is to be ignored")


@dataclass(frozen=True)
class LabelMap:
    """What masks and class list together come to.

    Attributes:
        classes: of the data set.
        rules: how masks become ids.
        told: what the user should know.
    """

    classes: ClassList
    rules: MaskRules
    told: tuple[str, ...] = field(default=())


def make_label_map(survey: MaskSurvey, table: ClassTable | None, options: MaskOptions) -> LabelMap:
    """Find out what the masks' colours or values are.

    Args:
        survey: of all masks.
        table: list of classes; None: every value but 0 is a class.
        options: the user's.

    Raises:
        InputError: if the list does not fit the masks (what they hold is told), or a class is declared as no
            data.
    """
    if survey.colours:
        return _agree_on_colours(survey, table, options)
    classes, ids = _values(survey, table, options)
    keep, told = _kept(survey, classes, ids, options)
    if isinstance(options.nodata, int):
        ids = {**ids, options.nodata: NODATA}
    counts: Counter[Key] = Counter(survey.counts)
    counts.update({value: survey.hidden[value] for value in keep})
    tolerance, more = _tolerance(survey, ids, options)
    keys = np.array([key for key in counts if isinstance(key, int)], np.int64)
    near = nearest(keys, np.array(list(ids), np.int64), tolerance)
    unknown = Counter({int(key): counts[int(key)] for key in keys[near < 0] if counts[int(key)]})
    if unknown and options.unknown == "refuse" and options.mapping is None:
        raise InputError(
            f"values of the masks are of no class: {_shown(unknown)}",
            f"--tolerance {max(20, 2 * tolerance)} takes more of them, --unknown ignore leaves them out"
            if survey.is_lossy
            else "name them with --class NAME=VALUE, or leave them out with --unknown ignore",
        )
    labels = list(ids.values())
    empty = _on_empty(classes, {labels[i] for i in near.tolist() if i >= 0}, unknown)
    return LabelMap(
        classes, MaskRules(ids, UNKNOWNS[options.unknown], tolerance, keep), (*told, *more, *empty)
    )


def _agree_on_colours(survey: MaskSurvey, table: ClassTable | None, options: MaskOptions) -> LabelMap:
    if table is None:
        raise InputError(
            f"the masks hold colours: {_shown(survey.counts)}", "say what they mean: --class building=#3C1098"
        )
    classes, ids = table.as_colours()
    colours = [key for key in survey.counts if isinstance(key, tuple)]
    pixels = np.array(colours, np.uint8).reshape(-1, 1, 3)
    pixels = np.moveaxis(pixels, 2, 0)
    tolerance, more = _tolerance(survey, ids, options)
    found = Palette(ids, tolerance).look_up(pixels)[:, 0]
    unknown = Counter({c: survey.counts[c] for c, i in zip(colours, found, strict=True) if i == UNKNOWN})
    if unknown and options.unknown == "refuse":
        seen = set(found.tolist())
        absent = [f"{classes[i].name} {hex_of(c)}" for c, i in ids.items() if i not in seen]
        raise InputError(
            f"{table.origin} does not fit the masks, which hold colours of no class: {_shown(unknown)}"
            + (f"; none holds {', '.join(absent[:SHOWN])}" if absent else ""),
            "masks compressed with losses need --tolerance 20"
            if (Palette(ids, NEAR).look_up(pixels) != UNKNOWN).all()
            else "correct the list of classes, or leave them out with --unknown ignore",
        )
    told = (f"colours of no class: {_shown(unknown)}: {options.unknown}",) if unknown else ()
    empty = _on_empty(classes, set(found.tolist()), unknown)
    return LabelMap(classes, MaskRules(ids, UNKNOWNS[options.unknown], tolerance), (*more, *told, *empty))


def usual_tolerance(keys: Sequence[Key]) -> int:
    """How far values or colours of masks that are JPEG may be off, for each to have the right class.

    Of two classes the nearer one is right, so it is half of what is between them. Of more, a pixel between
    two of them may look like a third: 20 at most, and 0 for colours, whose rims are of no class.
    """
    levels = np.array(keys, np.int64).reshape(len(keys), -1)
    if len(levels) < 2 or (len(levels) > 2 and levels.shape[1] > 1):
        return 0
    gaps = np.abs(levels[:, None] - levels[None]).max(axis=2)
    half = int(gaps[gaps > 0].min()) // 2
    return half if len(levels) == 2 else min(half, 20)


def _tolerance(
    survey: MaskSurvey, ids: Mapping[Any, int], options: MaskOptions
) -> tuple[int, tuple[str, ...]]:
    """The tolerance, and a line where it is not the user's."""
    if options.tolerance is not None or not survey.is_lossy:
        return options.tolerance or 0, ()
    tolerance = usual_tolerance(list(ids))
    if not tolerance:
        return 0, ()
    return tolerance, (
        "the masks have a lossy compression (JPEG): each pixel takes the nearest class that is at most "
        f"{tolerance} away (--tolerance {tolerance})",
    )


def _on_empty(classes: ClassList, hit: set[int], unknown: Counter[Any]) -> tuple[str, ...]:
    """A line where masks hold nothing but background; an error where they hold what is of no class too."""
    names = [c.name for c in classes.foreground]
    if any(0 < label < len(classes) for label in hit):
        return ()
    if unknown:
        raise InputError(
            f"not one pixel of {', '.join(names[:SHOWN])} is in the masks, which hold {_shown(unknown)}",
            "correct what the classes are with --class, --classes or --map",
        )
    return (f"not one pixel of {', '.join(names[:SHOWN])} is in the masks: all is background",)


def _values(
    survey: MaskSurvey, table: ClassTable | None, options: MaskOptions
) -> tuple[ClassList, dict[int, int]]:
    """The classes, and the id of each value."""
    if options.mapping is not None:
        return _mapped(table, options.mapping), dict(options.mapping)
    if table is None:
        return _found(survey, options)
    classes, values = _grey(survey, _painted(table, survey.table)).as_values()
    return classes, {value + options.label_offset: i for i, value in enumerate(values)}


def _mapped(table: ClassTable | None, mapping: Mapping[int, int]) -> ClassList:
    highest = max((v for v in mapping.values() if v != NODATA), default=0)
    listed = list(table.classes) if table else []
    if table and highest >= len(listed):
        raise InputError(
            f"--map names class {highest}, {table.origin} lists {len(listed)}",
            "ids count from 0 in its order",
        )
    named = [ListedClass(c.name, c.rgb, i) for i, c in enumerate(listed)]
    named += [ListedClass(f"class {i}", None, i) for i in range(len(named), max(highest, 1) + 1)]
    return ClassTable(tuple(named), table.origin if table else "--map").as_values()[0]


def _found(survey: MaskSurvey, options: MaskOptions) -> tuple[ClassList, dict[int, int]]:
    """Every value but the lowest possible one is a class."""
    first = options.label_offset
    if survey.is_lossy:
        raise InputError(
            f"the masks have a lossy compression (JPEG), which blurs values: {_shown(survey.counts)}",
            "name their classes: --class building=255",
        )
    kept = [v for v in survey.hidden if options.nodata not in ("file", v)]
    values = sorted(
        {v for v in (*survey.counts, *kept) if isinstance(v, int) and v not in (first, options.nodata)}
    )
    hidden = ", ".join(f"{v} ({n:,} px)" for v, n in survey.hidden.items() if n and v != first)
    if not values and hidden:
        raise InputError(
            f"the masks declare as no data what seems to be their only class: {hidden}",
            "--mask-nodata none lets it count",
        )
    if not 1 <= len(values) < MAX_CLASSES:
        raise InputError(f"the masks hold {len(values)} values besides {first}", "name classes with --class")
    colours = survey.table if len(set(survey.table.values())) == len(survey.table) else {}
    named = [
        LabelClass(i, f"class {v}", hex_of(colours[v]) if v in colours else usual_colour(i))
        for i, v in enumerate(values, start=1)
    ]
    return background_first(named), {first: 0} | {v: i for i, v in enumerate(values, start=1)}


def _painted(table: ClassTable, colours: Mapping[int, Any]) -> ClassTable:
    """The list with the colours of the masks' own colour table, where it has none of its own."""
    painted = tuple(
        replace(c, rgb=c.rgb or colours.get(i if c.value is None else c.value))
        for i, c in enumerate(table.classes)
    )
    known = [c.rgb for c in painted if c.rgb]
    return replace(table, classes=painted) if len(set(known)) == len(known) else table


def _grey(survey: MaskSurvey, table: ClassTable) -> ClassTable:
    """A list of grey colours means values of a mask of one band, unless that holds ids."""
    greys = [c.rgb[0] for c in table.classes if c.rgb and len(set(c.rgb)) == 1 and c.value is None]
    counts = set(survey.counts)
    if len(greys) < len(table.classes) or (not counts <= set(greys) and counts <= set(range(len(greys)))):
        return table
    return replace(
        table, classes=tuple(replace(c, value=grey) for c, grey in zip(table.classes, greys, strict=True))
    )


def _kept(
    survey: MaskSurvey, classes: ClassList, ids: Mapping[int, int], options: MaskOptions
) -> tuple[frozenset[int], tuple[str, ...]]:
    """Values declared as no data that count all the same, and what is to be told about them."""
    keep, told = set(), []
    for value, path in survey.declared.items():
        label = ids.get(value, NODATA)
        if options.nodata != "file":
            keep |= {value} - {options.nodata}
        elif label == 0 and classes[0].name.casefold() in BACKGROUNDS:
            keep.add(value)
            told.append(f"masks declare {value}, the background, as no data: it stays background")
        elif label != NODATA:
            raise InputError(
                f"{path}: declares {value} as no data, but {value} is the class {classes[label].name} "
                f"({survey.hidden[value]:,} pixels in all masks)",
                "--mask-nodata none lets it count",
            )
        elif survey.hidden[value]:
            told.append(f"{value} is declared as no data: {survey.hidden[value]:,} pixels are ignored")
    return frozenset(keep), tuple(told)


def _shown(counts: Counter[Any]) -> str:
    words = [f"{hex_of(k) if isinstance(k, tuple) else k} ({n:,} px)" for k, n in counts.most_common(SHOWN)]
    more = len(counts) - len(words)
    return ", ".join(words) + (f" and {more:,} more" if more > 0 else "")
