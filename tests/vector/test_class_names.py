"""Which classes are straightened, and which are marked as buildings, by their names."""

from __future__ import annotations

import numpy as np
import pytest

from geoseg.core import ClassList, LabelClass, VectorOptions
from geoseg.errors import OptionError
from tests.vector.files import layout, read, write
from tests.vector.tracing import blobs


def _plan(*names):
    classes = ClassList(tuple(LabelClass(i, name, "#010203") for i, name in enumerate(("none", *names))))
    plan = layout((200, 200))
    return type(plan)(plan.source, plan.network, classes)


def _frame(tmp_path, names, regularize):
    labels = blobs(200, 9)
    labels[100:] *= len(names)
    options = VectorOptions(simplify_m=0, regularize=regularize)
    target = tmp_path / f"{len(list(tmp_path.iterdir()))}.gpkg"
    write(labels, [target], _plan(*names), options)
    return read(target)


@pytest.mark.parametrize("name", ["building", "Building", "BUILDINGS", "buildings"])
def test_buildings_in_any_case(tmp_path, name):
    """Straightened, and tagged building=yes."""
    frame = _frame(tmp_path, [name], None)

    assert {"yes"} == set(frame["building"])
    assert frame["regularized"].any()


@pytest.mark.parametrize("regularize", [("Gebäude",), ("gebäude", "Hütte")])
def test_named_classes_alone_are_straightened(tmp_path, regularize):
    """In any language; capitals do not matter."""
    frame = _frame(tmp_path, ["Gebäude", "building", "Hütte"], regularize)
    straight = frame.groupby("class")["regularized"].any()

    assert straight["Gebäude"]
    assert "building" not in straight or not straight["building"]
    assert straight["Hütte"] == (len(regularize) == 2)


def test_unnamed_language_stays_as_it_is(tmp_path):
    """Nobody has said that these have right angles."""
    assert not _frame(tmp_path, ["Gebäude"], None)["regularized"].any()
    assert not _frame(tmp_path, ["building"], False)["regularized"].any()
    assert np.array_equal(["yes"], _frame(tmp_path, ["building"], False)["building"].unique())


def test_a_class_that_is_not_there(tmp_path):
    """One line that names those that are."""
    with pytest.raises(OptionError, match=r"--regularize shed: no such class .*none, building"):
        _frame(tmp_path, ["building"], ("shed",))
