"""Which class of a prediction is which class of the truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from geoseg.core import ClassList, LabelClass, usual_colour
from geoseg.errors import OptionError, SceneError
from geoseg.raster.label_values import is_colour

BACKGROUND = LabelClass(0, "background", "#000000")
"""Of classes that have none of their own, over and over."""
OBJECT = "object"
VALUE_NAME = re.compile(r"class \d+")
"""Of classes that are values without a name."""
USUAL = (1, 255)
"""Values that mean the object in masks of one class."""


@dataclass(frozen=True, slots=True)
class Side:
    """The classes of one file, without the background.

    Attributes:
        what: the file, for messages.
        names: of its classes.
        colours: as many, or none.
        values: of its classes in the file; empty where they are names already.
        named: whether the file or the user names them; else the names are made of values.
        complete: whether the file could hold no other class.
        background: what the file calls id 0, or None.
        own_colours: whether the colours are the file's own, not chosen by geoseg.
    """

    what: str
    names: tuple[str, ...]
    colours: tuple[str, ...] = ()
    values: tuple[int, ...] = ()
    named: bool = True
    complete: bool = False
    background: LabelClass | None = None
    own_colours: bool = False

    def colour(self, name: str) -> str | None:
        """Of a class, where it has one."""
        return self.colours[self.names.index(name)] if self.colours and name in self.names else None


@dataclass(frozen=True, slots=True)
class Matched:
    """Classes that both sides have.

    Attributes:
        classes: common ones.
        prediction: common id of each class of the prediction.
        truth: common id of each class of the truth.
        told: what was taken for what, where that is not plain; empty where it is.
    """

    classes: ClassList
    prediction: tuple[int, ...]
    truth: tuple[int, ...]
    told: str = ""


def match_classes(prediction: Side, truth: Side, only: str = "") -> Matched:
    """Find the classes that are compared.

    Args:
        prediction: its classes.
        truth: its classes.
        only: the class that is wanted, by name; empty: all.

    Raises:
        OptionError: if that cannot be told, with what could be said instead.
    """
    prediction, truth, note = _by_colour(prediction, truth)
    matched = _one(prediction, truth, only) if only else _match(prediction, truth)
    return replace(matched, told="; ".join(filter(None, [note, matched.told])))


def _match(prediction: Side, truth: Side) -> Matched:
    if len(prediction.names) == len(truth.names) == 1 and not _apart(prediction, truth):
        return _single(prediction, truth)
    if not truth.named and prediction.named and prediction.values:
        truth = _renamed(truth, prediction)
    elif not prediction.named and truth.named and truth.values:
        prediction = _renamed(prediction, truth)
    if (
        len(prediction.names) == 1
        and truth.named
        and prediction.names[0] not in truth.names
        and not truth.values
    ):
        return _all_of_one(prediction, truth)
    return _by_name(prediction, truth)


def score_channels(prediction: Side, matched: Matched, scores: Side, channels: int) -> tuple[int, ...]:
    """Which channels of probabilities are those of the common classes.

    Args:
        prediction: whose classes were matched.
        matched: them.
        scores: the classes that the probabilities name.
        channels: how many they are: one for each class; where there are several, the background's is first.

    Returns:
        The channel of the one class that is compared; of several each one's by its id, the background first.

    Raises:
        SceneError: if the probabilities are of other classes.
    """
    names, named = scores.names, prediction.named and scores.named
    if len(prediction.names) == len(names) and not (named and len(names) > 1):
        names = prediction.names  # in the same order, where one side has no names of its own to tell
    first = channels - len(names)
    wanted = sorted((i, name) for name, i in zip(prediction.names, matched.prediction, strict=True) if i)
    missing = [name for _, name in wanted if name not in names]
    if missing:
        raise SceneError(
            f"{scores.what} holds no probabilities of {missing[0]}",
            f"it has {', '.join(scores.names)}; name the file of the same run with --probabilities",
        )
    found = tuple(first + names.index(name) for _, name in wanted)
    return found if channels == 1 or len(matched.classes) == 2 else (0, *found)


def _by_colour(prediction: Side, truth: Side) -> tuple[Side, Side, str]:
    """Give classes of one colour one name, where the numbers of a palette would mislead.

    Returns:
        Both sides, and what the user should know.
    """
    several = max(len(prediction.names), len(truth.names)) > 1
    if (prediction.named and truth.named) or not several:
        return prediction, truth, ""
    if not (_tells_colours(prediction) and _tells_colours(truth)):
        return prediction, truth, _numbers_of_palette(prediction, truth)
    both = f"{prediction.what} and {truth.what}"
    if set(prediction.colours).isdisjoint(truth.colours):
        option = "name classes with --value and --truth-value"
        return prediction, truth, f"{both} have no colour in common: numbers are compared; {option}"
    words = f"classes of {both} are matched by colour"
    return _in_words_of(prediction, truth), _in_words_of(truth, prediction), words


def _tells_colours(side: Side) -> bool:
    return side.own_colours and len(set(side.colours)) == len(side.names)


def _numbers_of_palette(prediction: Side, truth: Side) -> str:
    """Say that the numbers of a palette are compared with values that have no colours."""
    for side, other in ((prediction, truth), (truth, prediction)):
        if side.own_colours and not side.named and other.values and not is_colour(side.values[0]):
            return f"numbers of the palette of {side.what} are compared with those of {other.what}"
    return ""


def _in_words_of(side: Side, other: Side) -> Side:
    """Call classes without a name by the other side's name for their colour, or by the colour."""
    if side.named:
        return side
    known = dict(zip(other.colours, other.names, strict=True)) if other.named else {}
    return replace(side, names=tuple(known.get(colour, colour) for colour in side.colours), named=True)


def _apart(prediction: Side, truth: Side) -> bool:
    """Whether values without names look like two classes of several, not like two ways to write one."""
    if prediction.named or truth.named or not (prediction.values and truth.values):
        return False
    values = {prediction.values[0], truth.values[0]}
    if len({is_colour(value) for value in values}) > 1:
        return False  # a mask of numbers and one in colours
    return len(values) > 1 and not values <= set(USUAL)


def _single(prediction: Side, truth: Side) -> Matched:
    one, other = prediction.names[0], truth.names[0]
    name = one if prediction.named or not truth.named else other
    told = "" if one == other else f"{one} in {prediction.what} is compared with {other} in {truth.what}"
    colour = prediction.colour(one) or truth.colour(other)
    return Matched(_class_list([name], [colour], prediction), (1,), (1,), told)


def _one(prediction: Side, truth: Side, only: str) -> Matched:
    ids = []
    for side in (prediction, truth):
        nameless = len(side.names) == 1 and not side.named and not VALUE_NAME.fullmatch(only)
        if only not in side.names and not nameless and side.names:
            raise OptionError(
                f"--class {only}: {side.what} has no such class", f"it has {', '.join(side.names)}"
            )
        ids.append(tuple(int(nameless or name == only) for name in side.names))
    colour = prediction.colour(only) or truth.colour(only)
    return Matched(_class_list([only], [colour]), ids[0], ids[1])


def _all_of_one(prediction: Side, truth: Side) -> Matched:
    name = prediction.names[0]
    some = ", ".join(truth.names[:5]) + (", ..." if len(truth.names) > 5 else "")
    told = f"all outlines of {truth.what} ({some}) are taken for {name}"
    classes = _class_list([name], [prediction.colour(name)], prediction)
    return Matched(classes, (1,), (1,) * len(truth.names), told)


def _renamed(side: Side, other: Side) -> Side:
    known = dict(zip(other.values, other.names, strict=True))
    names = tuple(known.get(v, n) for v, n in zip(side.values, side.names, strict=True))
    return replace(side, names=names, named=True)


def _by_name(prediction: Side, truth: Side) -> Matched:
    names = list(dict.fromkeys((*prediction.names, *truth.names)))
    for side, other in ((prediction, truth), (truth, prediction)):
        missing = [name for name in other.names if name not in side.names]
        if missing and (side.complete or set(side.names).isdisjoint(other.names)):
            raise OptionError(
                f"{other.what} has the class {missing[0]}, which {side.what} does not have",
                f"it has {', '.join(side.names) or 'none'}; name the class to compare with --class, or name "
                "values with --value and --truth-value",
            )
    colours = [prediction.colour(n) or truth.colour(n) for n in names]
    classes = _class_list(names, colours, prediction if prediction.background else truth)
    ids = {name: i for i, name in enumerate(names, 1)}
    return Matched(classes, tuple(ids[n] for n in prediction.names), tuple(ids[n] for n in truth.names))


def _class_list(names: Sequence[str], colours: Sequence[str | None], side: Side | None = None) -> ClassList:
    background = (side and side.background) or BACKGROUND
    own = [
        LabelClass(i, name, colour or usual_colour(i))
        for i, (name, colour) in enumerate(zip(names, colours, strict=True), 1)
    ]
    return ClassList((background, *own))
