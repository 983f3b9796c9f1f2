"""The command line, a small model and a small scene for all acceptance tests."""

from __future__ import annotations

from dataclasses import replace

import pytest

from geoseg.core import VectorOptions
from geoseg.vector.stream import load_kernels
from geoseg.vector.table import PolygonContext
from tests.acceptance.driver import Commands
from tests.scenes import write_scene
from tests.support import make_test_bundle
from tests.vector.files import layout


@pytest.fixture(scope="session")
def kernels():
    """Loops compiled to machine code, and kept on disk, before the first limit of a command counts."""
    plan = layout((64, 64))
    for channels, has_edges, connectivity in ((0, False, 4), (0, False, 8), (1, False, 4), (1, True, 4)):
        options = VectorOptions(connectivity=connectivity)
        load_kernels(replace(plan, has_edges=has_edges), options, PolygonContext("kernels"), channels)


@pytest.fixture(scope="session")
def geoseg(tmp_path_factory, kernels):
    """Runs ``geoseg ARGS``; `timeout` limits seconds of work, not of the clock."""
    commands = Commands(tmp_path_factory.mktemp("printed"))
    yield commands
    commands.close()


@pytest.fixture(scope="session")
def bundle(tmp_path_factory):
    """A model with random weights, patches of 64."""
    return make_test_bundle(tmp_path_factory.mktemp("bundle") / "small", has_edges=True)


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A small scene."""
    return write_scene(tmp_path_factory.mktemp("scene") / "town.tif", (200, 300))
