"""What ``import geoseg`` gives."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import geoseg

ROOT = Path(__file__).parents[1]


def test_public_names_are_pinned() -> None:
    """A name that users import does not come or go by accident."""
    assert geoseg.__all__ == [
        "GeosegError",
        "Resources",
        "__version__",
        "evaluate",
        "load_model",
        "open",
        "polygonize",
        "predict",
        "rasterize",
        "regularize",
        "run",
        "segment",
        "train",
    ]


@pytest.mark.parametrize("name", geoseg.__all__)
def test_every_public_name_is_there(name: str) -> None:
    """Each lazy name finds its home."""
    assert getattr(geoseg, name) is not None
    assert name in dir(geoseg)


def test_unknown_names_are_attribute_errors() -> None:
    """As of any module."""
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = geoseg.nothing


def test_import_is_light() -> None:
    """``import geoseg`` loads nothing that takes time; torch comes with what runs a network only."""
    code = (
        "import sys, geoseg\n"
        "assert not {'numpy', 'rasterio', 'torch', 'click'} & set(sys.modules), 'import geoseg'\n"
        "geoseg.open\n"
        "assert 'rasterio' in sys.modules and 'torch' not in sys.modules, 'open'\n"
        "geoseg.polygonize, geoseg.rasterize, geoseg.regularize, geoseg.evaluate\n"
        "import geoseg.core.options\n"
        "assert geoseg.core.options.OutputOptions\n"
        "assert not {'torch', 'openvino', 'xarray'} & set(sys.modules), 'polygonize'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_functions_are_not_hidden_by_folders_of_the_same_name() -> None:
    """Importing a module of such a folder would put the folder in the function's place."""
    code = (
        "import geoseg, geoseg.evaluate.run, geoseg.train.job, geoseg.predict.blending\n"
        "from geoseg.evaluate import run\n"
        "assert [f.__name__ for f in (geoseg.evaluate, geoseg.train, geoseg.predict)] "
        "== ['evaluate', 'train', 'predict']\n"
        "assert run.__name__ == 'geoseg.evaluate.run'\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_version_is_the_changelogs() -> None:
    """The newest release of the changelog, where there is one, is the package's version."""
    releases = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)

    assert not releases or releases[0] == geoseg.__version__


def test_constraints_pin_every_dependency() -> None:
    """``constraints.txt`` names all that ``pyproject.toml`` asks for."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(d for e in project["optional-dependencies"].values() for d in e)]
    names = {re.split(r"[\[>=<; ]", line)[0].lower().replace("_", "-") for line in wanted} - {"geoseg"}
    pinned = {line.partition("==")[0] for line in (ROOT / "constraints.txt").read_text().splitlines()}

    assert names - pinned == set()
