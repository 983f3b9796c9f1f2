"""What the documentation says is so: its commands run, its links lead somewhere, its pages are fresh."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import geoseg

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)#]+)(?:#[^)]*)?\)")
TO_COME = {"docs/pictures/sample.jpg", "bench/results.json"}
"""Made by running the project; they are in the repository, but not the tests' to ask for."""


def blocks(page: Path, language: str) -> Iterator[str]:
    """Fenced blocks of a language."""
    for found, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if found == language:
            yield text


def tool(name: str) -> ModuleType:
    """A script of ``docs/`` as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands() -> list[str]:
    """Every line of a ``bash`` block: these run as they stand; ``console`` blocks are for show."""
    return [
        line
        for page in PAGES
        for text in blocks(page, "bash")
        for line in text.splitlines()
        if line.strip() and not line.startswith("#")
    ]


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, sample_dir: Path) -> Path:
    """A folder in which the documented commands find the sample data."""
    folder = tmp_path_factory.mktemp("desk")
    (folder / "sample_data").symlink_to(sample_dir, target_is_directory=True)
    return folder


def test_documented_commands_run(desk: Path) -> None:
    """All of them, one after the other, as a reader types them."""
    lines = commands()
    assert len(lines) >= 5
    for line in lines:
        words = shlex.split(line)
        assert words[0] == "geoseg", f"only geoseg's own commands run here, not {line!r}"
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=desk, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


def test_documented_python_runs(desk: Path) -> None:
    """So does Python."""
    (code,) = blocks(ROOT / "README.md", "python")
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert "mask" in done.stdout


@pytest.mark.slow
def test_documented_library_runs(desk: Path) -> None:
    """The script that uses every public function, on the data set that the README prepares."""
    for line in commands():
        if (
            line.startswith(("geoseg prepare coco", "geoseg split"))
            and not (desk / "roofs" / "valid.txt").exists()
        ):
            subprocess.run([sys.executable, "-m", *shlex.split(line)], cwd=desk, check=False)
    (code,) = blocks(ROOT / "docs" / "python.md", "python")
    unused = {name for name in geoseg.__all__ if f"geoseg.{name}" not in code}
    done = subprocess.run([sys.executable, "-c", code], cwd=desk, capture_output=True, text=True, check=False)

    assert unused == {"GeosegError", "__version__"}
    assert len(code.splitlines()) <= 18
    assert done.returncode == 0, done.stderr
    assert "runs/python" in str(next((desk / "runs").iterdir()))


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links name files of the repository."""
    targets = [t for t in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in t]
    missing = [
        target
        for target in targets
        if not (page.parent / target).exists() and os.path.relpath(page.parent / target, ROOT) not in TO_COME
    ]

    assert missing == []


def test_command_page_is_fresh() -> None:
    """``docs/cli.md`` is what ``make docs`` writes."""
    assert (ROOT / "docs" / "cli.md").read_text(encoding="utf-8") == tool("write_docs").command_pages()


def test_figures_are_fresh() -> None:
    """The README's table is what ``make docs`` writes of ``bench/results.json``."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert tool("write_docs").with_figures(readme) == readme


def test_documented_options_exist() -> None:
    """Every ``--option`` the pages speak of is one of geoseg's."""
    known = set(re.findall(r"--[a-z][a-z0-9-]+", tool("write_docs").command_pages()))
    known |= {"--help", "--index-url", "--strict"}
    said = {
        (page.name, option)
        for page in PAGES
        if page.name not in ("CONTRIBUTING.md",)
        for option in re.findall(r"(?<![\w-])--[a-z][a-z0-9-]+", page.read_text(encoding="utf-8"))
    }

    assert {found for found in said if found[1] not in known} == set()


def test_bundle_entries_are_documented() -> None:
    """``docs/formats.md`` names every entry of ``bundle.json``."""
    from geoseg.core import BundleSpec

    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

    assert [name for name in BundleSpec.__dataclass_fields__ if f"`{name}`" not in text] == []


def test_record_entries_are_documented() -> None:
    """And every entry of a run record."""
    from geoseg.core import RunRecord

    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

    assert [name for name in RunRecord.__dataclass_fields__ if f"`{name}`" not in text] == []


def test_polygon_columns_are_documented() -> None:
    """And every column of the polygons."""
    from geoseg.core import ClassList, LabelClass
    from geoseg.vector.formats.table import GEOMETRY, PolygonContext, TableFormat

    classes = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "building", "#FF0000")))
    columns = set(TableFormat(classes, PolygonContext("scene"), "EPSG:32628", False).schema.names) - {
        GEOMETRY
    }
    text = (ROOT / "docs" / "formats.md").read_text(encoding="utf-8")

    assert {name for name in columns if f"`{name}`" not in text} == set()


def test_make_help_names_every_target() -> None:
    """Each target of the Makefile explains itself."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert targets is not None
    explained = re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)

    assert sorted(explained) == sorted(targets[1].split())


def test_results_are_flat() -> None:
    """``bench/results.json`` holds a value, its spread, unit and way of measuring for each key."""
    path = ROOT / "bench" / "results.json"
    if not path.exists():
        pytest.skip("bench/results.json is not there: make bench")
    results = json.loads(path.read_text(encoding="utf-8"))
    entries = {"value", "low", "high", "unit", "how", "commit", "machine"}

    assert {k for k, v in results.items() if set(v) != entries} == set()
