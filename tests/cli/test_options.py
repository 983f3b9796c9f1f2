"""What users type becomes the values the rooms understand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from geoseg.cli import options
from geoseg.cli.main import cli
from geoseg.cli.types import Memory, Size
from geoseg.core import NetworkOptions, SegmentOptions, VectorOptions


def parse(arguments: list[str]) -> SegmentOptions:
    """Options of ``infer`` from words."""
    caught: list[SegmentOptions] = []

    @click.command()
    @options.network_options
    @options.threshold_option
    @options.area_options
    @options.vector_options
    @options.format_option
    @click.option("--probabilities", is_flag=True)
    @click.option("--full-extent", is_flag=True)
    def command(**values: Any) -> None:
        caught.append(options.segment_from(values))

    result = CliRunner().invoke(command, arguments, standalone_mode=False)
    if result.exception:
        raise result.exception
    return caught[0]


def test_no_words_are_the_defaults() -> None:
    """The command line adds no defaults of its own."""
    assert parse([]) == SegmentOptions()


def test_every_option_arrives() -> None:
    """Each word changes its own field."""
    words = (
        "--patch 256x384 --overlap 64 --window linear --bands 3,2,nir --no-stretch --device cpu "
        "--runtime torch --batch 2 --tta --max-memory 4GB --threshold 0.4 --min-area-m2 12 --simplify-m 0.3 "
        "--no-regularize --split-touching --format fgb,parquet --format gpkg "
        "--connectivity 8 --background --probabilities"
    )
    expected = SegmentOptions(
        network=NetworkOptions(
            patch=(256, 384),
            overlap=(64, 64),
            taper="linear",
            bands=("3", "2", "nir"),
            stretch=False,
            device="cpu",
            runtime="torch",
            batch=2,
            tta=True,
            max_memory=4_000_000_000,
        ),
        vectors=VectorOptions(
            min_area_m2=12.0,
            simplify_m=0.3,
            regularize=False,
            split_touching=True,
            connectivity=8,
            background=True,
        ),
        threshold=0.4,
        probabilities=True,
        formats=("fgb", "parquet", "gpkg"),
    )

    assert parse(words.split()) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], None),
        (["--regularize"], True),
        (["--no-regularize"], False),
        (["--regularize", "Gebäude,Shed"], ("Gebäude", "Shed")),
        (["--regularize", "--tta"], True),
        (["--regularize=Roof"], ("Roof",)),
    ],
)
def test_regularize_may_name_classes(words: list[str], expected: bool | tuple[str, ...] | None) -> None:
    """Alone it is a switch."""
    assert expected == parse(words).vectors.regularize


def test_a_scene_is_no_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file behind --regularize would be taken for a name: said so."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scene.tif").touch()
    with pytest.raises(click.UsageError, match="is a file, no class"):
        parse(["--regularize", "scene.tif"])


def test_format_none_writes_no_polygons() -> None:
    """``none`` stands alone."""
    assert parse(["--format", "none"]).formats == ()
    with pytest.raises(click.UsageError):
        parse(["--format", "none,gpkg"])


@pytest.mark.parametrize(
    "words",
    [
        "--patch 0x",
        "--patch axb",
        "--patch -512",
        "--max-memory lots",
        "--max-memory 4XB",
        "--format shp",
        "--bands 1,,2",
        "--bbox 1,2,3",
        "--bbox 3,0,1,1",
        "--bbox 0,0,inf,1",
        "--bbox -inf,0,1,1",
        "--threshold 0",
        "--threshold 1.5",
        "--batch 0",
        "--min-area-m2 -1",
        "--window round",
    ],
)
def test_nonsense_is_a_usage_error(words: str) -> None:
    """What cannot be meant is said before anything is read."""
    with pytest.raises(click.UsageError):
        parse(words.split())


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_sizes_are_height_by_width(height: int, width: int) -> None:
    """``HEIGHTxWIDTH``, and one number for squares."""
    assert Size().convert(f"{height}x{width}", None, None) == (height, width)
    assert Size().convert(str(height), None, None) == (height, height)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1000", 1000),
        ("500MB", 500_000_000),
        ("500 mb", 500_000_000),
        ("4GB", 4_000_000_000),
        ("4g", 4_000_000_000),
        ("1.5GB", 1_500_000_000),
        ("2GiB", 2 * 1024**3),
        ("1TB", 10**12),
    ],
)
def test_memory(text: str, expected: int) -> None:
    """Amounts as people write them."""
    assert Memory().convert(text, None, None) == expected


@pytest.mark.parametrize(
    ("command", "new", "former"),
    [
        ("infer", "--window", "--taper"),
        ("split", "--strategy", "--by"),
        ("prepare coco", "--max-issues", "--max-irregular"),
        ("prepare coco", "--keep-cleanest", "--best"),
    ],
)
def test_former_names_are_taken_and_not_shown(command: str, new: str, former: str) -> None:
    """An option that was renamed has both names for one release; the help shows the new one."""
    shown = CliRunner().invoke(cli, [*command.split(), "--help"]).output
    assert (new in shown, former in shown.split()) == (True, False)
    wrong = [CliRunner().invoke(cli, [*command.split(), "x", name, "?"]) for name in (new, former)]
    assert [result.exit_code for result in wrong] == [2, 2]
    assert all("No such option" not in result.output and "'?'" in result.output for result in wrong)
