"""Where images lie: by CRS, transform or name, at true distances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer

from geoseg.core import GeoGrid
from geoseg.dataset.split.names import (
    look_like_sequences,
    named_places,
    scene_names,
    sequence_names,
)
from geoseg.dataset.split.near import as_graph, near_pairs, nearest, shared_pixels
from geoseg.dataset.split.options import FAR_M
from geoseg.dataset.split.places import METRES, NOWHERE, PIXELS, ImageFootprints, place
from geoseg.errors import OptionError

UTM = CRS.from_epsg(32633).to_wkt()
MERCATOR = CRS.from_epsg(3857).to_wkt()
DEGREES = CRS.from_epsg(4326).to_wkt()


def grid(x: float, y: float, gsd: float = 0.5, side: int = 100, crs: str | None = UTM) -> GeoGrid:
    """A square of pixels with its upper left corner at a point."""
    return GeoGrid(side, side, (gsd, 0.0, x, 0.0, -gsd, y), crs)


def placed(*grids: GeoGrid, stems: tuple[str, ...] = (), source: str = "s") -> ImageFootprints:
    """On a plane."""
    return place(grids, stems or [f"i{n}x" for n in range(len(grids))], [source] * len(grids))


def first_distance(places: ImageFootprints) -> float:
    """Between the first image and the second."""
    found = nearest(places, np.array([0]), np.array([1]))
    assert found is not None
    return found[0]


@given(st.floats(-80, 80), st.floats(-179, 179), st.floats(0.1, 30_000))
def test_distances_are_geodesic(lat: float, lon: float, metres: float) -> None:
    """In degrees anywhere on Earth, against pyproj's Geod."""
    geod = Geod(ellps="WGS84")
    tiny = 1e-9
    east, north, _ = geod.fwd(lon, lat, 90, metres)
    one = GeoGrid(1, 1, (tiny, 0.0, lon, 0.0, -tiny, lat), DEGREES)
    other = GeoGrid(1, 1, (tiny, 0.0, east, 0.0, -tiny, north), DEGREES)

    assert first_distance(placed(one, other)) == pytest.approx(metres, rel=2e-4, abs=1e-3)


def test_images_in_different_crs_are_on_one_map() -> None:
    """The same square in UTM and in Web Mercator: they touch, and pixels are as large."""
    x, y = 500_000.0, 5_500_000.0
    to_mercator = Transformer.from_crs(UTM, MERCATOR, always_xy=True)
    mx, my = to_mercator.transform(x + 50, y)
    stretch = 1 / np.cos(np.radians(Transformer.from_crs(UTM, DEGREES, always_xy=True).transform(x, y)[1]))
    places = placed(grid(x, y), grid(mx, my, 0.5 * stretch, crs=MERCATOR))

    assert first_distance(places) == pytest.approx(0, abs=0.2)
    assert places.pixel == pytest.approx([0.5, 0.5], rel=3e-3)
    assert shared_pixels(places, np.array([0]), np.array([1])) < 200


def test_far_images_are_on_other_maps() -> None:
    """Rio and Kathmandu are no neighbours."""
    places = placed(grid(500_000, 5_500_000), grid(500_000, 5_700_000))

    assert first_distance(places) >= FAR_M
    assert not len(near_pairs(places, places.buffers(1000.0)))


def test_patches_without_crs_lie_by_their_transforms() -> None:
    """Distances in pixels; the first patch of a scene has no transform and belongs to it all the same."""
    first = GeoGrid(100, 100)
    right = GeoGrid(100, 100, (1.0, 0.0, 130.0, 0.0, 1.0, 0.0))
    places = placed(first, right, stems=("s_r0000_c0000", "s_r0000_c0130"))

    assert places.unit.tolist() == [PIXELS, PIXELS]
    assert first_distance(places) == 30
    assert not places.by_name


def test_plain_pictures_lie_by_rows_and_columns_in_their_names() -> None:
    """Label Studio's prefixes do not hide them; numbers of patches and of pixels are told apart."""
    stems = tuple(f"{n:08x}-town_{r:02d}_{c:02d}" for n, (r, c) in enumerate(np.ndindex(3, 4)))
    places = placed(*[GeoGrid(100, 100)] * 12, stems=stems)
    assert places.by_name
    assert places.known.all()
    assert len(near_pairs(places, places.buffers(1.0))) == 3 * 3 + 4 * 2 + 2 * (2 * 3)  # also across corners

    stems = tuple(f"town_r{r * 80:05d}_c{c * 80:05d}" for r, c in np.ndindex(3, 4))
    places = placed(*[GeoGrid(100, 100)] * 12, stems=stems)
    assert shared_pixels(places, np.array([0]), np.array([1])) == 20 * 100


def test_pictures_without_a_place_are_near_nothing() -> None:
    """Unknown is unknown."""
    places = placed(GeoGrid(100, 100), GeoGrid(100, 100))

    assert places.unit.tolist() == [NOWHERE, NOWHERE]
    assert nearest(places, np.array([0]), np.array([1])) is None
    assert not len(near_pairs(places, places.buffers(100.0)))


def test_buffers_are_half_an_image_by_default() -> None:
    """At most what half a patch of 512 pixels is on the ground; a number asked for is taken as it is."""
    small = placed(grid(500_000, 5_500_000), grid(500_100, 5_500_000))
    large = placed(grid(500_000, 5_500_000, side=5000), grid(510_000, 5_500_000, side=5000))

    assert small.unit.tolist() == [METRES, METRES]
    assert small.buffers(None) == pytest.approx([25, 25], rel=1e-3)
    assert large.buffers(None) == pytest.approx([128, 128], rel=3e-3)
    assert small.buffers(7.0).tolist() == [7, 7]


@pytest.mark.parametrize(
    ("stems", "names"),
    [
        (["0016E5_08001", "0006R0_f03480"], ["0016E5", "0006R0"]),
        (["drive-2-0001", "drive-2-0002"], ["drive-2", "drive-2"]),
        (["alpha", "beta"], ["alpha", "beta"]),
    ],
)
def test_sequences_end_before_the_last_number(stems: list[str], names: list[str]) -> None:
    """As cameras and editors count frames."""
    assert sequence_names(stems) == names


def test_sequences_by_pattern() -> None:
    """The first group; what does not fit is said."""
    assert sequence_names(["a-1-x", "b-2-x"], r"^(\w)-") == ["a", "b"]
    for pattern in ("(", "a", "^(z)"):
        with pytest.raises(OptionError):
            sequence_names(["a-1-x"], pattern)


def test_what_looks_like_sequences() -> None:
    """Several of several frames each: not one series, not names without numbers."""
    assert look_like_sequences(["a"] * 5 + ["b"] * 4)
    assert not look_like_sequences(["a"] * 9)
    assert not look_like_sequences([f"name{n}" for n in range(9)])


def test_frames_are_no_rows_and_columns() -> None:
    """CamVid's names hold two numbers; they span no grid."""
    stems = [f"0016E5_{n:05d}" for n in range(390, 3000, 30)]

    assert named_places(stems, ["s"] * len(stems)) == {}
    assert scene_names(stems[:2], ["s", "t"]) == ["s", "t"]


def test_graphs_are_symmetric() -> None:
    """Each pair both ways, once."""
    graph = as_graph(np.array([[0, 2], [0, 2]]), 3)

    assert (graph != graph.T).nnz == 0
    assert np.diff(graph.indptr).tolist() == [1, 0, 1]
