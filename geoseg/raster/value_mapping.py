"""What the values of a raster mean: a mask's classes, or scores to be cut at a threshold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from geoseg.core import LEVELS, ClassList, LabelClass, Strip, least_score, usual_colour
from geoseg.errors import OptionError, SceneError
from geoseg.raster.label_values import (
    bands_alike,
    class_name,
    colour_value,
    distinct_colours,
    distinct_values,
    is_colour,
    palette_of,
    value_text,
    windows,
)
from geoseg.raster.labelling import ValueMapping, ValueOptions, class_list
from geoseg.raster.mask import RUN_TAG, classes_of
from geoseg.raster.scene import Scene

SHOWN = 20
"""Values that are listed for the user."""
MANY = 32
"""More values than this may be scores."""
NEAR = 31
"""Grey levels by which JPEG blurs the 0 and 255 of a mask at most."""
LOSSY_NEAR = 100
"""The same where the file says that it was compressed with loss."""
BLUR = 4
"""Values near 0, and as many near 255, that a mask holds at least whose blur a lossless file keeps."""
BLACK = colour_value(0, 0, 0)
EDGE = "edge"


def infer_value_mapping(scene: Scene, options: ValueOptions) -> ValueMapping:
    """Find out what a raster's values mean.

    Raises:
        OptionError, SceneError: if that cannot be told.
    """
    _check_band(scene, options)
    own = None if options.values else _own_classes(scene, options)
    if own is not None:
        return own
    bands = _bands(scene, options)
    note = ""
    if len(bands) > 1:
        grey = bands_alike(scene, bands)
        if not grey or options.colours or any(map(is_colour, options.found)):
            return _coloured(scene, options, bands)
        note = "its three bands are alike; "
    options = replace(options, band=bands[0])
    if options.values:
        found = _named(scene, options)
    elif options.threshold is not None:
        found = _cut(scene, options)
    else:
        found = _every_value(scene, options)
    return replace(found, told=note + found.told)


def read_strips(scene: Scene, labelling: ValueMapping) -> Iterator[Strip]:
    """A raster from top to bottom."""
    for window in windows(scene):
        yield labelling.read(scene, window)


def _own_classes(scene: Scene, options: ValueOptions) -> ValueMapping | None:
    """By what geoseg wrote into the file; None where it is of another program."""
    ours = classes_of(scene.source.tags, scene.path)
    if ours is not None and options.threshold is None:
        ids = tuple(c.id for c in ours.foreground)
        told = ", ".join(f"{c.id} = {c.name}" for c in ours.foreground)
        return ValueMapping(
            ours, (options.band or 1,), f"values by the file's class list: {told}", ids, has_colours=True
        )
    if RUN_TAG in scene.source.tags and scene.info.dtype == "uint8" and ours is None:
        return _our_scores(scene, options)
    return None


def one_band(scene: Scene, options: ValueOptions) -> int:
    """Find the band that holds object numbers.

    Raises:
        OptionError: if there is no such band.
        SceneError: if there are several and none is named.
    """
    _check_band(scene, options)
    bands = _bands(scene, options)
    if len(bands) > 1 and not bands_alike(scene, bands):
        raise SceneError(
            f"{scene.path}: is in colours, which are no object numbers", "name a band, e.g. --band 1"
        )
    return bands[0]


def _check_band(scene: Scene, options: ValueOptions) -> None:
    if options.band > len(scene.info.bands):
        raise OptionError(
            f"{options.prefix}band {options.band}",
            f"{scene.path.name} has bands 1 to {len(scene.info.bands)}",
        )


def _bands(scene: Scene, options: ValueOptions) -> tuple[int, ...]:
    """The band that holds the values, or red, green and blue.

    Raises:
        SceneError: if there are several and none is named.
    """
    if options.band:
        return (options.band,)
    shown = [band for band in scene.info.bands if band.colour != "alpha"]
    if len(shown) <= 1:
        return (shown[0].index if shown else 1,)
    if [band.colour for band in shown] == ["red", "green", "blue"] and scene.info.dtype == "uint8":
        return tuple(band.index for band in shown)
    names = ", ".join(f"{band.index} {band.name or band.colour}" for band in shown[:SHOWN])
    raise SceneError(
        f"{scene.path}: has {len(shown)} bands ({names})",
        f"name the one that holds the classes or scores, e.g. {options.prefix}band {shown[0].index}",
    )


def _coloured(scene: Scene, options: ValueOptions, bands: tuple[int, ...]) -> ValueMapping:
    """Take each colour but black for a class, or those that are named."""
    option = f"{options.prefix}value"
    if options.threshold is not None or (options.values and not options.colours):
        wrong = "--threshold" if options.threshold is not None else f"{option} {options.values[0][0]}"
        raise OptionError(
            f"{wrong}: {scene.path.name} is a mask in colours",
            f"name its colours ({option} '#RRGGBB=building'), or read one band: {options.prefix}band 1",
        )
    if options.values:
        values = tuple(value for value, _ in options.values)
        names = [name for _, name in options.values]
        told = "colours as named: " + ", ".join(f"{value_text(v)} = {n}" for v, n in options.values)
        classes = class_list(names, option, [value_text(value) for value in values])
        return ValueMapping(classes, bands, told, values, trusted=True, has_colours=True)
    found = [v if is_colour(v) else colour_value(v, v, v) for v in options.found]
    values = tuple(v for v in found or distinct_colours(scene, bands) if v != BLACK)
    names = [value_text(value) for value in values]
    shown = f"each is a class: {_some(names)}; black is the background" if names else "none but black"
    told = f"colours: {shown}; {option} '{names[0] if names else '#RRGGBB'}=building' names a class"
    known = values or (colour_value(255, 255, 255),)
    texts = [value_text(value) for value in known]
    return ValueMapping(class_list(texts, option, texts), bands, told, known, found=values, has_colours=True)


def _named(scene: Scene, options: ValueOptions) -> ValueMapping:
    option = f"{options.prefix}value"
    pairs = _indices(scene, options) if any(is_colour(v) for v, _ in options.values) else options.values
    if scene.info.dtype.startswith("float"):
        raise _float_mask(scene)
    values = tuple(value for value, _ in pairs)
    limits = np.iinfo(scene.info.dtype)
    bad = [v for v in values if not limits.min <= v <= limits.max]
    if bad or len(set(values)) < len(values):
        raise OptionError(f"{option} {(bad or values)[0]}", f"values of {scene.info.dtype}, each once")
    told = "values as named: " + ", ".join(f"{v} = {name}" for v, name in pairs)
    classes = class_list([name for _, name in pairs], option)
    return ValueMapping(classes, (options.band,), told, values, trusted=True)


def _indices(scene: Scene, options: ValueOptions) -> tuple[tuple[int, str], ...]:
    """Find named colours in a palette."""
    palette = {colour: index for index, colour in palette_of(scene).items()}
    for value, _ in options.values:
        if is_colour(value) and value_text(value) not in palette:
            raise OptionError(
                f"{options.prefix}value {value_text(value)}: {scene.path.name} has no such colour",
                f"its palette has {_some(list(palette)) or 'none'}",
            )
    return tuple((palette.get(value_text(value), value), name) for value, name in options.values)


def _our_scores(scene: Scene, options: ValueOptions) -> ValueMapping:
    if options.band and len(scene.info.bands) > 1:
        raise OptionError(
            f"{options.prefix}band {options.band}",
            "geoseg's own probabilities are taken whole; leave it out",
        )
    if options.threshold is not None and not 0 < options.threshold <= 1:
        raise OptionError(f"--threshold {options.threshold:g}", "a probability lies between 0 and 1")
    names = [b.name or f"class {b.index}" for b in scene.info.bands]
    has_edges = len(names) > 1 and names[-1] == EDGE
    scored = names[:-1] if has_edges else names
    bands = tuple(range(1, len(names) + 1))
    if len(scored) == 1:
        threshold = 0.5 if options.threshold is None else options.threshold
        level = least_score(threshold)
        told = f"probabilities of {scored[0]}, cut at {threshold:g}"
        return ValueMapping(class_list(scored), bands, told, (), level, 1.0, has_edges)
    if options.threshold is not None:
        raise OptionError(
            "--threshold with several classes", "leave it out: the most probable class is taken"
        )
    classes = ClassList(tuple(LabelClass(i, n, usual_colour(i)) for i, n in enumerate(scored)))
    told = f"probabilities: the greatest of {', '.join(scored)}"
    return ValueMapping(classes, bands, told, (), None, 1.0, has_edges)


def _cut(scene: Scene, options: ValueOptions) -> ValueMapping:
    threshold = options.threshold
    assert threshold is not None
    if not math.isfinite(threshold):
        raise OptionError(f"--threshold {threshold:g}", "give a number")
    scale = 0.0
    if scene.info.dtype == "uint8":
        scale = LEVELS / 255.0
    elif scene.info.dtype.startswith("float") and 0.0 < threshold <= 1.0:
        scale = float(LEVELS)
    told = f"band {options.band} from {threshold:g} on = object"
    if 0 < threshold < 1 and not scene.info.dtype.startswith("float"):
        told += "; its values are whole numbers, so that is all but 0: half of 255 is --threshold 128"
    return ValueMapping(class_list(["object"]), (options.band,), told, (), threshold, scale)


def _float_mask(scene: Scene) -> SceneError:
    return SceneError(
        f"{scene.path}: {scene.info.dtype} values are no classes", "cut scores with --threshold, e.g. 0.5"
    )


def _every_value(scene: Scene, options: ValueOptions) -> ValueMapping:
    if scene.info.dtype.startswith("float"):
        raise _float_mask(scene)
    palette = palette_of(scene)
    found = tuple(v for v in options.found if not is_colour(v) and (not palette or v in palette))
    found = found or distinct_values(scene, options.band)
    lossy = scene.source.is_lossy and not options.found
    if not palette and _blurred(found, lossy):
        told = "values are near 0 or near 255, as JPEG leaves them: from 128 on = object"
        return ValueMapping(class_list(["object"]), (options.band,), told, (), 128, found=found)
    if lossy and len(found) > MANY:
        raise SceneError(
            f"{scene.path}: {len(found)} different values, which compression with loss changed: no classes",
            "cut them, e.g. --threshold 128, or save the mask again without loss",
        )
    ground = _background(found, palette)
    values = tuple(value for value in found if value != ground)
    _check_nodata(scene, options, values)
    colours = [palette.get(value) for value in values or (1,)]
    classes = class_list([class_name(v) for v in values or (1,)], f"{options.prefix}value", colours)
    told = _values_told(scene, options, values, palette)
    if palette and (ground or palette.get(0, "#000000") != "#000000"):
        told += f"; {ground} ({palette.get(ground)}) is the background"
    own = palette.keys() >= set(values)
    return ValueMapping(classes, (options.band,), told, values or (1,), found=found, has_colours=own)


def _values_told(
    scene: Scene, options: ValueOptions, values: Sequence[int], palette: Mapping[int, str]
) -> str:
    names = [f"{v} = class {v}" + (f" ({palette[v]})" if v in palette else "") for v in values]
    told = f"values: {_some(names) or 'no value but 0'}"
    if scene.info.nodata is not None:
        told += f" ({scene.info.nodata:g} is declared as no data"
        named = f": if it is a class, {options.prefix}value {scene.info.nodata:g}=NAME counts it"
        told += ")" if values else f"{named})"
    if len(values) > MANY and not palette:
        told += f"; {len(values)} values: if they are scores, cut them with --threshold"
    return told


def _check_nodata(scene: Scene, options: ValueOptions, values: Sequence[int]) -> None:
    """Refuse a mask whose only class vanishes as no data."""
    if not values and not options.found and scene.info.nodata == 1:
        raise SceneError(
            f"{scene.path}: the value 1, which means the object in most masks, is declared as no data",
            f"name it if it does: {options.prefix}value 1=building; or take the declaration out of the file",
        )


def _background(found: Sequence[int], palette: Mapping[int, str]) -> int:
    """The value of the background: 0, or where a palette has another colour there, that of black."""
    if palette.get(0, "#000000") == "#000000":
        return 0
    return next((value for value in found if palette.get(value) == "#000000"), 0)


def _blurred(found: Sequence[int], lossy: bool) -> bool:
    """Tell whether values are a mask of 0 and 255 that lost some levels as JPEG.

    In a lossless file a few values, such as 1, 2 and 254, are classes; only many on both sides are blur.
    """
    near = LOSSY_NEAR if lossy else NEAR
    low = [v for v in found if 0 < v <= near]
    high = [v for v in found if 255 - near <= v < 255]
    if lossy:  # background may have become 1 everywhere, and objects stayed 255, or the other way round
        enough = bool(low or high) and max(found) >= 255 - near
    else:
        enough = min(len(low), len(high)) >= BLUR and {0, 255} <= set(found)
    return enough and all(0 <= v <= near or 255 - near <= v <= 255 for v in found)


def _some(words: Sequence[str]) -> str:
    return ", ".join(words[:SHOWN]) + (f", ... ({len(words)} in all)" if len(words) > SHOWN else "")
