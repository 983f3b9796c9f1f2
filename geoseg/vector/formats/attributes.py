"""Attributes of features with the types that their file gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

INT64_LIMIT = 2**63
_NULLABLE = {
    pa.bool_(): pd.BooleanDtype(),
    **{getattr(pa, n.lower())(): getattr(pd, f"{n}Dtype")() for n in ("Int8", "Int16", "Int32", "Int64")},
    **{getattr(pa, n.lower())(): getattr(pd, f"{n}Dtype")() for n in ("UInt8", "UInt16", "UInt32", "UInt64")},
}
KEEP_TYPES: dict[str, Any] = {"types_mapper": _NULLABLE.get}
"""Arguments of :meth:`pyarrow.Table.to_pandas` by which a missing value turns no integer into a decimal."""


def table_of(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Make a table of GeoJSON properties: integers stay integers, whatever is missing."""
    names = dict.fromkeys(str(name) for record in records for name in record)
    return pd.DataFrame(
        {name: _column([record.get(name) for record in records]) for name in names},
        index=range(len(records)),
    )


def _column(values: list[Any]) -> pd.Series[Any]:
    known = [value for value in values if value is not None]
    kinds = {type(value) for value in known}
    if kinds == {int} and max(map(abs, known)) < INT64_LIMIT:
        return pd.Series(values, dtype="Int64")
    if kinds and kinds <= {int, float}:
        return pd.Series(values, dtype="float64")
    return pd.Series(values, dtype=object)


def texts(values: pd.Series[Any]) -> list[str | None]:
    """Convert a column to text, as a person reads it: ``1`` for 1.0 where all its numbers are whole.

    Args:
        values: of a column.

    Returns:
        (features,) without spaces around them; None where there is no value.
    """
    known = values.notna().to_numpy(bool)
    if values.dtype.kind == "f":
        whole = values.to_numpy(float)[known]
        if np.isfinite(whole).all() and (whole == np.floor(whole)).all() and (abs(whole) < 2**53).all():
            values = values.astype("Int64")
    if values.dtype.kind == "M" and (values[known].dt.normalize() == values[known]).all():
        values = values.dt.date  # FlatGeobuf has no dates, only times
    found = zip(values, known, strict=True)
    return [str(value).strip() or None if there else None for value, there in found]


def decimals(values: pd.Series[Any]) -> npt.NDArray[np.float64]:
    """Convert a column of numbers: (features,), NaN where there is no value."""
    return np.asarray(values.to_numpy(np.float64, na_value=np.nan), np.float64)
