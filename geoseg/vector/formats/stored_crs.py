"""The CRS of a vector file as it reads back: the same places as meant, or another spelling is tried."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pyogrio
from numpy.typing import NDArray
from pyproj import CRS, Geod
from pyproj.exceptions import CRSError

from geoseg.vector.formats.paths import plain_path
from geoseg.vector.measure import to_lonlat

NEAR_M = 1e-3
"""Metres by which a place may move when a CRS is stored."""
PROBES = np.array([(1.0, 2.0), (30.0, 40.0), (1e5, 2e5), (1e6, 1e6)])
"""Coordinates compared besides those of the data; the first two also where they are angles."""
SPELLINGS = ("WKT2_2019", "WKT1_GDAL", "PROJJSON")


def spellings(crs: str | None) -> Iterator[str | None]:
    """Give a CRS as it is and then in other ways to write it, which libraries read differently."""
    yield crs
    if crs is None:
        return
    known = CRS.from_user_input(crs)
    for form in SPELLINGS:
        try:
            yield known.to_json() if form == "PROJJSON" else known.to_wkt(form)
        except CRSError:
            continue  # WKT 1 cannot say everything


def crs_of_file(path: Path) -> str | None:
    """Read the CRS of a vector file that geoseg wrote, as WKT or JSON; None where it has none.

    Args:
        path: GeoPackage, FlatGeobuf or GeoParquet; the suffix tells which.
    """
    if path.suffix.lower() == ".parquet":
        about = json.loads(pq.read_metadata(path).metadata[b"geo"])
        found = next(iter(about["columns"].values())).get("crs")
        return None if found is None else json.dumps(found)
    with plain_path(path) as plain:
        layer = str(pyogrio.list_layers(plain)[0, 0])  # named, as styles are a layer too
        told = pyogrio.read_info(plain, layer=layer)["crs"]
    return None if told is None else str(told)


def same_places(meant: str | None, stored: str | None, points: NDArray[np.float64]) -> bool:
    """Tell whether coordinates lie at the same places in two CRS, to a millimetre.

    Args:
        meant: WKT; one that has no place on Earth, or None, is not compared.
        stored: as it was read back.
        points: (count, 2) of the data, which are compared together with :data:`PROBES`.
    """
    if meant is None:
        return True
    here, there = to_lonlat(meant), None if stored is None else to_lonlat(stored)
    if here is None:
        return True  # it has no place on Earth
    if there is None:
        return False
    x, y = np.concatenate([points, _probes(meant)]).T
    return _furthest(np.asarray(here.transform(x, y)), np.asarray(there.transform(x, y))) <= NEAR_M


@lru_cache(maxsize=8)
def _probes(crs: str) -> NDArray[np.float64]:
    return PROBES[: 2 if CRS.from_user_input(crs).is_geographic else None]


def _furthest(here: NDArray[np.float64], there: NDArray[np.float64]) -> float:
    """Metres between longitudes and latitudes (2, count), of those that both have."""
    placed = np.isfinite(here).all(axis=0) & np.isfinite(there).all(axis=0)
    placed &= (np.abs(here[1]) <= 90.0) & (np.abs(there[1]) <= 90.0)  # beyond the poles there is no distance
    if not placed.any():
        return math.inf if np.isfinite(here).any() else 0.0
    _, _, metres = Geod(ellps="WGS84").inv(*here[:, placed], *there[:, placed])
    return float(np.max(metres, initial=0.0))
