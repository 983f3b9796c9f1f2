"""The command line, a small model and a small scene for all acceptance tests."""

from __future__ import annotations

import pytest

from tests.acceptance.driver import Commands
from tests.scenes import write_scene
from tests.support import make_test_bundle


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
