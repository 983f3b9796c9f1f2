"""Classes and their colours."""

from __future__ import annotations

import itertools
import math

from geoseg.core import LabelClass, usual_colour
from geoseg.core.classes import MAX_CLASSES


def test_no_two_colours_are_alike() -> None:
    """Of as many classes as there may be; the first twenty differ at a glance."""
    colours = [LabelClass(i, "a class", usual_colour(i)).rgb for i in range(MAX_CLASSES)]
    twenty = [math.dist(one, other) for one, other in itertools.combinations(colours[:20], 2)]

    assert len(set(colours)) == MAX_CLASSES
    assert min(twenty) > 60
    assert colours[0] == (0, 0, 0)
