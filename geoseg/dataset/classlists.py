"""Class lists in the forms people have them in: tables, JSON, ``codes.txt``, or named one by one."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from geoseg.core import ClassList, LabelClass, usual_colour
from geoseg.core.files import write_text
from geoseg.errors import InputError

BACKGROUNDS = ("background", "bg")
MAX_BYTES = 1 << 20
_ID, _NAME = ("id", "index", "value", "class_id"), ("name", "class", "title", "label", "class_name")
_COLOUR = ("colour", "color", "hex", "rgb")

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class ListedClass:
    """A class as a list has it.

    Attributes:
        name: of the class.
        rgb: its colour in masks, or None.
        value: its value in masks, or None.
    """

    name: str
    rgb: Rgb | None = None
    value: int | None = None


@dataclass(frozen=True)
class ClassTable:
    """A list of classes that somebody else wrote.

    Attributes:
        classes: in its order.
        origin: of the list, for messages.

    Raises:
        InputError: if two classes have one name, colour or value.
    """

    classes: tuple[ListedClass, ...]
    origin: str

    def __post_init__(self) -> None:
        if not self.classes:
            raise InputError(f"{self.origin}: holds no classes", "name them with --class")
        for key, text in (
            ("name", str),
            ("rgb", lambda rgb: "#{:02X}{:02X}{:02X}".format(*rgb)),
            ("value", str),
        ):
            seen: dict[Any, str] = {}
            for listed in self.classes:
                found = getattr(listed, key)
                if found is not None and found in seen:
                    what = "colour" if key == "rgb" else key
                    raise InputError(
                        f"{self.origin}: {seen[found]} and {listed.name} have one {what}, {text(found)}",
                        f"give each class a {what} of its own",
                    )
                seen[found] = listed.name

    def as_values(self) -> tuple[ClassList, tuple[int, ...]]:
        """Classes of masks that hold numbers, and the number of each.

        A class without a number has its place in the list as one. Ids are contiguous, in the order of the
        numbers; where none is 0, a background of that number comes first.
        """
        numbered = [c if c.value is not None else replace(c, value=i) for i, c in enumerate(self.classes)]
        ordered = sorted(numbered, key=lambda c: c.value or 0)
        if ordered[0].value != 0:
            ordered.insert(0, ListedClass(BACKGROUNDS[0], value=0))
        return _class_list(ordered, self.origin), tuple(c.value or 0 for c in ordered)

    def as_colours(self) -> tuple[ClassList, dict[Rgb, int]]:
        """Classes of masks that hold colours, and the id of each colour.

        Ids are in the order of the list, or of its numbers where it has some. A class called background comes
        first; where there is none, nor one of number 0, one is added that has no colour in the masks.
        """
        bare = [c.name for c in self.classes if c.rgb is None]
        if bare:
            raise InputError(
                f"{self.origin}: {', '.join(bare[:5])}: no colour", "give one, e.g. building=#3C1098"
            )
        ordered = list(self.classes)
        if all(c.value is not None for c in ordered):
            ordered.sort(key=lambda c: c.value or 0)
            has_first = ordered[0].value == 0
        else:
            ordered.sort(key=lambda c: c.name.casefold() not in BACKGROUNDS)
            has_first = ordered[0].name.casefold() in BACKGROUNDS
        if not has_first:
            ordered.insert(0, ListedClass(BACKGROUNDS[0]))
        ids = {c.rgb: i for i, c in enumerate(ordered) if c.rgb is not None}
        return _class_list(ordered, self.origin), ids


def background_first(named: Sequence[LabelClass]) -> ClassList:
    """Classes with ids from 1, after a background."""
    taken = {c.colour.upper() for c in named}
    colour = next(c for c in ("#000000", "#FFFFFF", "#808080", "#C0C0C0") if c not in taken)
    return ClassList((LabelClass(0, BACKGROUNDS[0], colour), *named))


def named_classes(names: Sequence[str]) -> ClassList:
    """Classes of these names in geoseg's colours, after a background.

    Raises:
        InputError: if two are equal.
    """
    return _class_list([ListedClass(BACKGROUNDS[0]), *(ListedClass(name) for name in names)], "classes")


def foreground_classes(names: Sequence[str], origin: str) -> tuple[ClassList, tuple[int, ...]]:
    """As :func:`named_classes`, but one called background is the background.

    Returns:
        The classes, and the id of each name.

    Raises:
        InputError: if two names are equal, or there is no other.
    """
    own = [name for name in names if name.casefold() not in BACKGROUNDS]
    if not own:
        raise InputError(f"{origin}: holds no class besides the background", "name one with --class")
    ids = {name: i for i, name in enumerate(own, start=1)}
    return named_classes(own), tuple(ids.get(name, 0) for name in names)


def _class_list(ordered: Sequence[ListedClass], origin: str) -> ClassList:
    listed = {c.rgb for c in ordered}
    spare = [c for c in ("#000000", "#FFFFFF", "#808080", "#C0C0C0") if _rgb(c) not in listed]
    classes = []
    for i, c in enumerate(ordered):
        own = "#{:02X}{:02X}{:02X}".format(*c.rgb) if c.rgb else None
        classes.append(LabelClass(i, c.name, own or (spare[0] if i == 0 else usual_colour(i))))
    try:
        return ClassList(tuple(classes))
    except ValueError as error:
        raise InputError(f"{origin}: {error}", "check the list of classes") from error


def parse_class(text: str) -> ListedClass:
    """``building=#3C1098``, ``building=60,16,152``, ``building=255`` or a name alone.

    Raises:
        ValueError: if it is none of these.
    """
    name, _, rest = (part.strip() for part in text.partition("="))
    if not name:
        raise ValueError("a class needs a name")
    if not rest:
        return ListedClass(name)
    if re.fullmatch(r"-?\d+", rest):
        return ListedClass(name, value=int(rest))
    return ListedClass(name, rgb=_rgb(rest))


def read_class_list(path: Path) -> ClassTable:
    """Read a list of classes.

    Args:
        path: ``.csv``: a table with or without a header, of names with hex colours, three decimals, or ids;
            ``.json``: a list of objects with a name or title, a colour and perhaps an id, alone or under
            ``classes``, or an object name -> colour; else text: a class a line, with its colour before or
            after the name, or without one.

    Raises:
        InputError: if it cannot be read, or two classes have one name or colour.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError("it is too large")
        text = path.read_text(encoding="utf-8-sig")
        reader = {".json": _from_json, ".csv": _from_csv}.get(path.suffix.lower(), _from_lines)
        return ClassTable(tuple(reader(text)), path.name)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            f"{path}: is no list of classes ({error})",
            "a line per class: name,#RRGGBB or name,red,green,blue",
        ) from error


def write_class_list(path: Path, classes: ClassList) -> None:
    """Write ``id,name,colour`` lines; a file there is replaced.

    Raises:
        OutputError: if it cannot be written.
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("id", "name", "colour"))
    rows.writerows((c.id, c.name, c.colour) for c in classes)
    write_text(path, text.getvalue(), overwrite=True)


def _rgb(value: Any) -> Rgb:
    """A colour from ``#3C1098``, ``3C1098``, ``60,16,152`` or three numbers."""
    if isinstance(value, list | tuple):
        parts = [int(v) for v in value]
    elif match := re.fullmatch(r"(?:#|0x)?([0-9A-Fa-f]{6})", str(value).strip()):
        parts = list(bytes.fromhex(match[1]))
    else:
        parts = [int(v) for v in re.split(r"[\s,;]+", str(value).strip("()[] \t"))]
    if len(parts) not in (3, 4) or not all(0 <= v <= 255 for v in parts):
        raise ValueError(f"{value!r} is no colour")
    return parts[0], parts[1], parts[2]


def _from_json(text: str) -> list[ListedClass]:
    data = json.loads(text)
    if isinstance(data, Mapping) and isinstance(data.get("classes"), list):
        data = data["classes"]
    if isinstance(data, Mapping):
        return [ListedClass(str(name), _rgb(colour)) for name, colour in data.items()]
    return [ListedClass(item) if isinstance(item, str) else _from_fields(item) for item in data]


def _from_fields(item: Mapping[str, Any]) -> ListedClass:
    fields = {str(key).strip().casefold(): value for key, value in item.items()}
    name = next((str(fields[key]).strip() for key in _NAME if key in fields), "")
    if not name:
        raise ValueError("a class has no name")
    value = next((int(fields[key]) for key in _ID if fields.get(key) not in (None, "")), None)
    colour = next((fields[key] for key in _COLOUR if fields.get(key)), None)
    if colour is None and "r" in fields:
        colour = [fields[key] for key in ("r", "g", "b")]
    if colour is None and "red" in fields:
        colour = [fields[key] for key in ("red", "green", "blue")]
    return ListedClass(name, None if colour is None else _rgb(colour), value)


def _from_csv(text: str) -> list[ListedClass]:
    rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text), skipinitialspace=True)]
    rows = [row for row in rows if any(row)]
    header = {cell.casefold() for cell in rows[0]} if rows else set()
    if header & set(_NAME) and not header & {"background"}:
        return [_from_fields(dict(zip(rows[0], row, strict=False))) for row in rows[1:]]
    return [_from_words(row) for row in rows]


def _from_lines(text: str) -> list[ListedClass]:
    lines = [line.strip() for line in text.splitlines()]
    return [_from_words(_words(line)) for line in lines if line and not line.startswith("//")]


def _words(line: str) -> list[str]:
    """A line of text: colour and name in either order, or a name that may hold spaces."""
    number = r"\d{1,3}[\s,;]+\d{1,3}[\s,;]+\d{1,3}"
    if match := re.fullmatch(rf"({number}|#[0-9A-Fa-f]{{6}})[\s,;]+(.*\S)", line):
        return [match[2], match[1]]
    if match := re.fullmatch(rf"(.*\S)[\s,;]+({number}|#[0-9A-Fa-f]{{6}})", line):
        return [match[1].rstrip(",;: "), match[2]]
    return [line]


def _from_words(words: Sequence[str]) -> ListedClass:
    """``name``, ``name, colour``, ``id, name``, ``id, name, colour``, ``name, red, green, blue``, ..."""
    number = None
    rest = list(words)
    if len(rest) in (2, 3, 5) and rest[0].isdigit():
        number = int(rest.pop(0))
    if len(rest) == 1:
        return ListedClass(rest[0], value=number)
    if len(rest) == 2:
        return ListedClass(rest[0], _rgb(rest[1]), number)
    if len(rest) == 4:
        first = all(word.isdigit() for word in rest[:3])
        name, colour = (rest[3], rest[:3]) if first else (rest[0], rest[1:])
        return ListedClass(name, _rgb([int(v) for v in colour]), number)
    raise ValueError(f"{','.join(words)!r} is no class")
