"""Scenes whose pixels are far from those that a model knows."""

from __future__ import annotations

import math

import pytest

from geoseg.core import Band, GeoGrid, SceneInfo
from geoseg.core.scale import area_warning, least_areas, network_grid, scale_warnings
from geoseg.errors import SceneError

KNOWN = (0.2, 0.5)


def scene(
    size: tuple[int, int], gsd: tuple[float, float] | None, crs: str | None = "EPSG:32628"
) -> SceneInfo:
    """A scene of such pixels."""
    grid = GeoGrid(*size, (1.0, 0.0, 0.0, 0.0, -1.0, 0.0), crs)
    return SceneInfo("s", grid, (Band(1, "", "gray"),), "uint8", None, gsd)


@pytest.mark.parametrize("gsd", [(0.6, 0.6), (2.0, 2.0), (0.4, 6.0)])
def test_pixels_are_multiplied_by_16_at_most(gsd: tuple[float, float]) -> None:
    """The share is the product of both sides' ratios to the coarsest pixel known."""
    grid = network_grid(scene((100, 100), gsd), KNOWN)
    assert grid.height * grid.width == pytest.approx(gsd[0] * gsd[1] / 0.25 * 1e4, rel=0.02)
    assert grid.height * grid.width <= 16 * 100 * 100


@pytest.mark.parametrize("gsd", [(2.1, 2.1), (10.0, 10.0), (0.4, 50.0)])
def test_more_is_refused(gsd: tuple[float, float]) -> None:
    """Also where only one side of the pixels is long."""
    with pytest.raises(SceneError, match=f"{gsd[0] * gsd[1] / 0.25:,.0f} times as many"):
        network_grid(scene((100, 100), gsd), KNOWN)


def test_the_refusal_tells_cost_and_ways_on() -> None:
    """One line: what the pixels are, what it would have cost, what to type instead."""
    with pytest.raises(SceneError) as caught:
        network_grid(scene((10980, 10980), (10.0, 10.0)), KNOWN)
    assert str(caught.value) == (
        "s: pixels of 10 m, the model knows 0.2-0.5 m: resampled to these, the scene's 10980 x 10980 px "
        "would become 219,600 x 219,600 px, 400 times as many (use a --bundle for such pixels, run on the "
        "pixels as they are with --gsd-m 0.2, or resample the scene yourself with gdalwarp -tr)"
    )


def test_a_scene_of_which_nothing_would_be_left_is_refused() -> None:
    """A picture of 2 m by 2 m at 1 mm would be 10 x 10 px; a small scene of usual pixels is no such case."""
    with pytest.raises(SceneError, match="would become 10 x 10 px"):
        network_grid(scene((2000, 2000), (0.001, 0.001)), KNOWN)
    assert network_grid(scene((4, 4), (0.3, 0.3)), KNOWN).size == (4, 4)


def test_fine_pixels_are_averaged_and_said() -> None:
    """A drone's 2 cm are 100 to one of 20 cm; 5 cm are not worth a word."""
    assert network_grid(scene((2000, 3000), (0.02, 0.02)), KNOWN).size == (200, 300)
    assert scale_warnings(scene((2000, 3000), (0.02, 0.02)), KNOWN) == [
        "pixels of 0.02 m are much finer than the 0.2-0.5 m the model was trained on: 100 of them are "
        "averaged into one"
    ]
    assert scale_warnings(scene((2000, 3000), (0.05, 0.05)), KNOWN) == []


def test_the_user_states_the_size_of_a_pixel() -> None:
    """For a picture that does not say it, or in place of what a scene says."""
    picture = scene((1000, 1000), None, crs=None)
    assert network_grid(picture, KNOWN).size == (1000, 1000)
    assert network_grid(picture.stated(0.1), KNOWN).size == (500, 500)
    assert scale_warnings(picture, KNOWN)[0].endswith("(--gsd-m states the pixel size)")
    coarse = scene((100, 100), (10.0, 10.0))
    assert network_grid(coarse.stated(0.3), KNOWN) == coarse.grid
    assert scale_warnings(coarse, KNOWN, 0.3) == [
        "the network takes pixels for 0.3 m (--gsd-m), the scene's are of 10 m; areas and lengths are those "
        "of the scene"
    ]


def test_pixels_without_a_size_are_left_alone() -> None:
    """Where nothing is known, nothing is resampled."""
    assert network_grid(scene((5, 5), None), KNOWN).size == (5, 5)
    assert network_grid(scene((5, 5), (math.inf, 1.0)), None).size == (5, 5)


@pytest.mark.parametrize(
    ("crs", "known", "stated", "expected"),
    [
        ("EPSG:32628", KNOWN, None, 10.0),
        ("EPSG:32628", KNOWN, 0.1, 10.0),
        (None, KNOWN, None, 40.0),
        (None, KNOWN, 0.1, 1000.0),
        (None, None, 0.1, 1000.0),
    ],
)
def test_a_smallest_area_holds_without_a_crs(
    crs: str | None, known: tuple[float, float] | None, stated: float | None, expected: float
) -> None:
    """10 m² are 1,000 pixels of 0.1 m; of pixels without a size as many as of the coarsest that is known."""
    found = least_areas(scene((5, 5), None, crs), {"1": 10.0}, known, stated)
    assert found == {"1": pytest.approx(expected)}


def test_a_smallest_area_in_pixels_is_said() -> None:
    """In one line, with the way to say otherwise; nothing is said or dropped where no size can be known."""
    picture = scene((5, 5), None, None)
    assert area_warning(picture, {"1": 10.0}, KNOWN) == (
        "polygons below 40 px are dropped (10 m² at 0.5 m a pixel; --min-area-m2, here in pixels, says "
        "otherwise)"
    )
    assert least_areas(picture, {"1": 10.0}, None) == {}
    assert area_warning(picture, {"1": 10.0}, None) is None
    assert area_warning(picture, {}, KNOWN) is None
    assert area_warning(scene((5, 5), (0.3, 0.3)), {"1": 10.0}, KNOWN) is None
