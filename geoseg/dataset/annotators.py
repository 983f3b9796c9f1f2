"""Annotations of several people: whose are taken, and a line that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from geoseg.dataset.pairs import SHOWN, counted
from geoseg.errors import OptionError

FIELDS = (
    "annotator",
    "annotator_id",
    "annotated_by",
    "completed_by",
    "created_by",
    "creator",
    "worker_id",
    "user",
    "user_id",
)
"""Where tools write who made an annotation; COCO itself has no such field."""
PERSON = ("email", "username", "name", "id")


def annotator_of(record: Mapping[str, Any]) -> str:
    """Who made an annotation: an address, a name or a number; an empty string where that is not told."""
    attributes = record.get("attributes")
    places = [record, attributes] if isinstance(attributes, Mapping) else [record]
    found = [place[key] for place in places for key in FIELDS if place.get(key) not in (None, "")]
    return _name(found[0]) if found else ""


def _name(value: Any) -> str:
    if isinstance(value, Mapping):
        value = next((value[key] for key in PERSON if value.get(key) not in (None, "")), "")
    return str(value).strip()


@dataclass
class Annotators:
    """Who annotated which image.

    Attributes:
        chosen: the only one whose annotations are taken; None: the rule of the format.
        people: names in the order they were met.
        shared: images that several annotations compete for, or several people annotated.
    """

    chosen: str | None = None
    people: dict[str, None] = field(default_factory=dict)
    shared: dict[Any, None] = field(default_factory=dict)
    _by_image: dict[Any, set[str]] = field(default_factory=dict)

    def add(self, image: Any, name: str) -> bool:
        """Take down an annotation's maker; whether the annotation may be taken."""
        makers = self._by_image.setdefault(image, set())
        if name:
            self.people[name] = None
            makers.add(name)
        if len(makers) > 1:
            self.shared[image] = None
        return self.chosen in (None, name)

    def check(self, origin: str) -> None:
        """Refuse a person who made nothing.

        Raises:
            OptionError: with those who did.
        """
        if self.chosen is not None and self.chosen not in self.people:
            there = ", ".join(list(self.people)[:SHOWN]) or "nobody is named there"
            raise OptionError(
                f"{origin}: holds no annotation of {self.chosen}", f"--annotator takes: {there}"
            )

    def lines(self, rule: str) -> tuple[str, ...]:
        """What the user should know.

        Args:
            rule: which annotations are taken where nobody is chosen.
        """
        if not self.shared or self.chosen is not None:
            return ()
        people = f" ({', '.join(list(self.people)[:SHOWN])})" if self.people else ""
        return (
            f"{counted(len(self.shared), 'image')} with several annotations{people}: {rule}"
            + ("; --annotator NAME takes those of one person" if self.people else ""),
        )
