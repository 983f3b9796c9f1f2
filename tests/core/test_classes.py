"""Classes and their colours."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

from geoseg.core import LEVELS, LabelClass, least_score, usual_colour
from geoseg.core.classes import MAX_CLASSES


def test_no_two_colours_are_alike() -> None:
    """Of as many classes as there may be; the first twenty differ at a glance."""
    colours = [LabelClass(i, "a class", usual_colour(i)).rgb for i in range(MAX_CLASSES)]
    twenty = [math.dist(one, other) for one, other in itertools.combinations(colours[:20], 2)]

    assert len(set(colours)) == MAX_CLASSES
    assert min(twenty) > 60
    assert colours[0] == (0, 0, 0)


def test_a_threshold_means_its_decimals() -> None:
    """The smallest score of a threshold is that of exact arithmetic, and never 0."""
    thresholds = [Fraction(k, 1000) for k in range(1, 1001)]
    expected = [max(math.ceil(t * LEVELS), 1) for t in thresholds]

    assert [least_score(float(t)) for t in thresholds] == expected
    assert least_score(0.1 + 0.2) == 75
