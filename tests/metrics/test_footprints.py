import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.metrics.footprints import FootprintScore, mean_f1, polygons_from_ids, spacenet_score

boxes = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 8), st.integers(1, 8)), max_size=12
).map(lambda sides: np.array([shapely.box(x, y, x + w, y + h) for x, y, w, h in sides], dtype=object))


def brute_force(proposals, truth, confidence, min_area):
    """The challenge's text, word for word, without an index."""
    ranked = [proposals[i] for i in sorted(range(len(proposals)), key=lambda i: -confidence[i])]
    ranked = [p for p in ranked if p.area > min_area]
    unmatched = [t for t in truth if t.area >= min_area]
    total, hits = len(unmatched), 0
    for proposal in ranked:
        ious = [proposal.intersection(t).area / proposal.union(t).area for t in unmatched]
        if ious and max(ious) > 0.5:
            del unmatched[ious.index(max(ious))]
            hits += 1
    return FootprintScore(hits, len(ranked) - hits, total - hits)


@given(boxes, boxes, st.integers(0, 2**32 - 1), st.sampled_from([0.0, 6.0]))
@settings(deadline=None, max_examples=80)
def test_score_equals_brute_force(proposals, truth, seed, min_area):
    confidence = np.random.default_rng(seed).random(len(proposals))
    expected = brute_force(proposals, truth, confidence, min_area)
    assert spacenet_score(proposals, truth, confidence, min_area) == expected


def test_half_is_not_enough():
    """IoU must exceed the threshold."""
    half, whole = np.array([shapely.box(0, 0, 1, 1)]), np.array([shapely.box(0, 0, 2, 1)])
    assert spacenet_score(half, whole) == FootprintScore(0, 1, 1)


def test_the_surest_proposal_takes_the_building():
    """The second one that fits as well is a false alarm."""
    both = np.array([shapely.box(0, 0, 9, 10), shapely.box(0, 0, 10, 10)])
    score = spacenet_score(both, both[1:], np.array([0.4, 0.9]))
    assert score == FootprintScore(1, 1, 0)
    assert (score.precision, score.recall, score.f1) == (0.5, 1.0, pytest.approx(2 / 3))


def test_empty_sides():
    nothing = np.array([], dtype=object)
    assert spacenet_score(nothing, nothing).f1 == 0
    assert spacenet_score(nothing, np.array([shapely.box(0, 0, 1, 1)])) == FootprintScore(0, 0, 1)


def test_broken_polygons_are_mended():
    bow_tie = np.array([shapely.Polygon([(0, 0), (4, 4), (4, 0), (0, 4)])])
    assert spacenet_score(bow_tie, bow_tie).true_positives == 1


def test_areas_are_averaged_not_pooled():
    assert mean_f1([FootprintScore(1, 0, 0), FootprintScore(0, 99, 99)]) == 0.5


def test_touching_ids_stay_apart():
    ids = np.zeros((6, 6), np.uint32)
    ids[1:4, 1:3], ids[1:4, 3:5] = 7, 9
    assert sorted(polygon.area for polygon in polygons_from_ids(ids)) == [6, 6]
