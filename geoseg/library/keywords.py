"""Options as plain keywords, of the same names as on the command line."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import fields
from typing import Any

from geoseg.core import NetworkOptions, SegmentOptions, VectorOptions

NETWORK = frozenset(f.name for f in fields(NetworkOptions)) - {"taper"} | {"window"}
VECTORS = frozenset(f.name for f in fields(VectorOptions))
SEGMENT = NETWORK | VECTORS | {"threshold", "probabilities", "format", "full_extent"}


def check_names(function: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Refuse keywords that a function does not have.

    Raises:
        TypeError: names the closest one that it has.
    """
    for name in given:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, 1)
        hint = f"did you mean {close[0]!r}?" if close else f"options: {', '.join(sorted(known))}"
        raise TypeError(f"{function}() has no option {name!r}; {hint}")


def segment_options(given: Mapping[str, Any], aoi: str | None = None) -> SegmentOptions:
    """All options of a run from keywords of :data:`SEGMENT`.

    Args:
        given: by name.
        aoi: GeoJSON text of a (multi)polygon in the scene's CRS.
    """
    rest = {name: given[name] for name in ("threshold", "probabilities", "full_extent") if name in given}
    if "format" in given:
        names = words(given["format"])
        rest["formats"] = () if names == ("none",) else names
    return SegmentOptions(network_options(given), vector_options(given), aoi=aoi, **rest)


def network_options(given: Mapping[str, Any]) -> NetworkOptions:
    """How the network runs; sizes may be one number, bands numbers or names."""
    chosen = {name: given[name] for name in NETWORK & given.keys()}
    if "window" in chosen:
        chosen["taper"] = chosen.pop("window")
    for name in ("patch", "overlap"):
        if isinstance(chosen.get(name), int):
            chosen[name] = (chosen[name], chosen[name])
    if "bands" in chosen:
        chosen["bands"] = words(chosen["bands"])
    return NetworkOptions(**chosen)


def vector_options(given: Mapping[str, Any]) -> VectorOptions:
    """How polygons are made."""
    chosen = {name: given[name] for name in VECTORS & given.keys()}
    if not isinstance(chosen.get("regularize"), bool | None):
        chosen["regularize"] = words(chosen["regularize"])
    return VectorOptions(**chosen)


def words(given: Any) -> tuple[str, ...]:
    """One word, or several, as texts."""
    if given is None:
        return ()
    return (given,) if isinstance(given, str) else tuple(str(word) for word in given)
