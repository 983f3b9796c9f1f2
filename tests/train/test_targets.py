import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from geoseg.train.targets import contact, rim, rim_of_crowds

ids_arrays = arrays(np.uint32, st.tuples(st.integers(1, 12), st.integers(1, 12)), elements=st.integers(0, 3))


def neighbours(ids, row, col, reach, disc):
    height, width = ids.shape
    for r in range(max(0, row - reach), min(height, row + reach + 1)):
        for c in range(max(0, col - reach), min(width, col + reach + 1)):
            if not disc or (r - row) ** 2 + (c - col) ** 2 <= reach**2:
                yield ids[r, c]


@given(ids_arrays, st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_rim_equals_brute_force(ids, width):
    """A pixel is rim if any pixel within the distance has another id."""
    expected = np.zeros(ids.shape, bool)
    for row, col in np.ndindex(ids.shape):
        own = ids[row, col]
        expected[row, col] = own > 0 and any(n != own for n in neighbours(ids, row, col, width, disc=True))
    np.testing.assert_array_equal(rim(ids, width), expected)


@given(ids_arrays, st.integers(1, 3), st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=60)
def test_rim_of_crowds_equals_brute_force(ids, width, seed):
    """A crowd has a rim where it meets anything else; what lies behind that rim is not known."""
    shown = (ids > 0) | (np.random.default_rng(seed).random(ids.shape) < 0.3)
    kind = np.where(ids > 0, ids.astype(int), np.where(shown, -1, 0))
    expected = np.zeros(ids.shape, np.uint8)
    for row, col in np.ndindex(ids.shape):
        own = kind[row, col]
        alone = all(n == own for n in neighbours(kind, row, col, width, disc=True))
        expected[row, col] = 0 if own == 0 else (255 if own < 0 else 0) if alone else 1
    np.testing.assert_array_equal(rim_of_crowds(ids, shown, width), expected)


@given(ids_arrays, st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_contact_equals_brute_force(ids, distance):
    """A pixel is contact if two different objects lie in the square around it."""
    expected = np.zeros(ids.shape, bool)
    for row, col in np.ndindex(ids.shape):
        expected[row, col] = len({n for n in neighbours(ids, row, col, distance, disc=False) if n}) > 1
    np.testing.assert_array_equal(contact(ids, distance), expected)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_rim_is_two_pixels_wide_at_any_scale(scale):
    """The rim is drawn after scaling; touching objects each have their own."""
    size, ids = int(60 * scale), np.zeros((int(60 * scale),) * 2, np.uint32)
    rows = slice(round(10 * scale), round(50 * scale))
    for number, col in enumerate((10, 30), 1):
        ids[rows, round(col * scale) : round((col + 20) * scale)] = number
    row = rim(ids)[size // 2]
    starts, ends = [round(x * scale) for x in (10, 30)], [round(x * scale) for x in (30, 50)]
    expected = np.zeros(size, bool)
    for start, end in zip(starts, ends, strict=True):
        expected[start : start + 2] = expected[end - 2 : end] = True
    np.testing.assert_array_equal(row, expected)
