"""Polygons lie where they were drawn, whatever CRS a format has to store."""

from __future__ import annotations

from pathlib import Path

import geopandas
import numpy as np
import pyogrio
import pytest
from pyproj import CRS, Transformer

from geoseg.errors import OutputError
from geoseg.vector.formats import write as writing
from tests.vector.files import layout, write

LCC_US_FEET = (
    "+proj=lcc +lat_0=36.6 +lon_0=-79 +lat_1=38 +lat_2=37.1 +x_0=2000000 +y_0=300000 "
    "+datum=NAD83 +units=us-ft"
)
ODD = {
    "Lambert in US feet": (LCC_US_FEET, (1, 0, 2.1e6, 0, -1, 5e5)),
    "transverse Mercator in feet": (
        "+proj=tmerc +lat_0=10 +lon_0=20 +k=0.9998 +x_0=50000 +y_0=1000 +ellps=WGS84 +units=ft",
        (1, 0, 2e5, 0, -1, 1e5),
    ),
    "Swiss oblique": (
        "+proj=somerc +lat_0=46.9 +lon_0=7.4 +k_0=1 +x_0=600000 +y_0=200000 +ellps=bessel +units=m",
        (0.5, 0, 6.1e5, 0, -0.5, 2.1e5),
    ),
    "longitude in grads": (
        'GEOGCS["mine",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
        'PRIMEM["Greenwich",0],UNIT["grad",0.0157079632679489]]',
        (1e-5, 0, 3.0, 0, -1e-5, 52.0),
    ),
}
LABELS = np.pad(np.ones((20, 30), np.uint8), 10)


def _lonlat(crs: CRS, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.array(Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y))


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("suffix", [".gpkg", ".fgb", ".parquet", ".geojson"])
def test_odd_crs_come_back(tmp_path: Path, name: str, suffix: str) -> None:
    """The corners of a polygon are those of its pixels on the ground, to a centimetre."""
    crs, transform = CRS.from_user_input(ODD[name][0]), ODD[name][1]
    write(LABELS, [tmp_path / f"p{suffix}"], layout(LABELS.shape, crs.to_wkt(), transform))

    read = geopandas.read_parquet if suffix == ".parquet" else pyogrio.read_dataframe
    frame = read(tmp_path / f"p{suffix}")
    x, y = frame.geometry.get_coordinates().to_numpy().T
    a, _, c, _, e, f = transform
    cols, rows = np.array([10, 40, 40, 10]), np.array([10, 10, 30, 30])
    wanted = _lonlat(crs, a * cols + c, e * rows + f)
    found = _lonlat(frame.crs, x, y)
    nearest = np.abs(found[:, :, None] - wanted[:, None, :]).max(axis=0).min(axis=0)
    assert (nearest < 1e-7).all()


@pytest.fixture
def forgetful(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A library that takes feet for metres, but for the spellings whose beginnings are in the list."""
    kept: list[str] = []
    write_arrow = pyogrio.write_arrow

    def lose_units(*words: object, crs: str, **values: object) -> None:
        wrong = LCC_US_FEET.replace("us-ft", "m")
        write_arrow(*words, crs=crs if crs.startswith(tuple(kept)) and kept else wrong, **values)

    monkeypatch.setattr(pyogrio, "write_arrow", lose_units)
    monkeypatch.setattr(writing, "_REHEARSED", set())
    return kept


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_another_spelling_is_tried(tmp_path: Path, forgetful: list[str], suffix: str) -> None:
    """Where one spelling loses the feet, one that keeps them is written."""
    forgetful.append("PROJCS[")  # WKT 1
    name, transform = ODD["Lambert in US feet"]
    meant = CRS.from_user_input(name)
    write(LABELS, [tmp_path / f"p{suffix}"], layout(LABELS.shape, meant.to_wkt(), transform))

    stored = CRS.from_user_input(pyogrio.read_info(tmp_path / f"p{suffix}")["crs"])
    x, y = np.array([2.1e6]), np.array([5e5])
    np.testing.assert_allclose(_lonlat(stored, x, y), _lonlat(meant, x, y), atol=1e-9)


@pytest.mark.parametrize("suffix", [".gpkg", ".fgb"])
def test_a_crs_that_is_lost_is_refused(tmp_path: Path, forgetful: list[str], suffix: str) -> None:
    """No spelling survives: one line that names a format that keeps it, and no file."""
    name, transform = ODD["Lambert in US feet"]
    plan = layout(LABELS.shape, CRS.from_user_input(name).to_wkt(), transform)
    with pytest.raises(OutputError, match=r"would lie elsewhere.*parquet"):
        write(LABELS, [tmp_path / f"p{suffix}"], plan)
    assert [] == list(tmp_path.iterdir())
