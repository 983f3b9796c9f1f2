"""``geoseg split``: which images of a data set train and which judge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.progress import ProgressBar
from geoseg.cli.types import RenamedOption
from geoseg.core.text import counted
from geoseg.dataset.split.options import WAYS, Shares, SplitOptions

if TYPE_CHECKING:
    from geoseg.dataset.items import DataSet
    from geoseg.dataset.split.job import Split
    from geoseg.dataset.split.leakage import Leak

SHARE = click.FloatRange(0, 1, max_open=True)
MOST_CLASSES = 12


@click.command("split")
@click.argument("dataset", type=options.PATH)
@click.option(
    "--strategy",
    "--by",
    "by",
    cls=RenamedOption,
    type=click.Choice(WAYS),
    default="auto",
    show_default=True,
    help="Hold out spatial blocks, whole scenes, whole video sequences, or random images. auto: blocks where "
    "images have a place, else sequences where names tell them, else scenes.",
)
@click.option(
    "--valid", type=SHARE, default=0.2, show_default=True, help="Share of the pixels to validate on."
)
@click.option("--test", type=SHARE, default=0.0, show_default=True, help="Share of pixels for a test.")
@click.option(
    "--buffer",
    type=click.FloatRange(min=0),
    help="Metres (pixels where images have no CRS) that training keeps from what is held out; default: half "
    "an image.",
)
@click.option(
    "--pattern", metavar="REGEX", help="What in an image's name tells its sequence: '^(.*)_' and the like."
)
@click.option(
    "--valid-list", type=options.PATH, metavar="FILE", help="Validate on the images that this file names."
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Another one gives another split.",
)
@click.option("--check", is_flag=True, help="Only look for leaks in the lists that are there.")
@options.overwrite_option
@options.progress_option
@options.json_option
@options.debug_option
def command(dataset: Path, check: bool, overwrite: bool, as_json: bool, **values: Any) -> None:
    """Say which images of a data set train and which judge.

    Neighbouring patches look alike: where some train and others judge, scores are too high. By default whole
    blocks are held out, with a buffer around them, and classes spread like in the whole. The labels of a
    single scene are cut by blocks; nothing of the scene is copied. train.txt, valid.txt
    and, if asked for, test.txt are written, and what was found in common is told.
    """
    from geoseg.dataset.split.cut import whole_of
    from geoseg.dataset.split.job import check_split, count_steps, gather, split_dataset
    from geoseg.dataset.split.lists import check_lists, write_lists
    from geoseg.dataset.store import open_dataset, read_list
    from geoseg.errors import InputError

    shares = Shares(values["valid"], values["test"])
    valid_list = values["valid_list"]
    chosen = SplitOptions(
        values["by"], shares, values["buffer"], values["pattern"], valid_list, values["seed"]
    )
    found = open_dataset(dataset)
    listed = read_list(valid_list, {item.stem for item in found.items}) if valid_list else ()
    if valid_list and not listed:
        raise InputError(f"{valid_list}: names no image", "give it one name a line")
    if not check:
        check_lists(dataset, overwrite, valid_list)
    whole = whole_of(found)
    if len(whole) == 1:
        _cut(dataset, whole, chosen, check, as_json)
        return
    with ProgressBar(dataset.name, count_steps(found), unit="looks at images") as bar:
        facts = gather(found, bar)
    if check:
        split, files = check_split(found, facts), []
    else:
        split = split_dataset(found, facts, chosen, listed)
        about = {"seed": chosen.seed, "asked": {"valid": shares.valid, "test": shares.test}}
        files = write_lists(dataset, split, about | {"fingerprint": found.fingerprint}, valid_list)
    if as_json:
        show.as_json(split.to_json() | {"files": [str(path) for path in files]})
        return
    _tell(split, found, files)


def _cut(folder: Path, whole: DataSet, chosen: SplitOptions, check: bool, as_json: bool) -> None:
    """Split a data set of one image: its labels are divided by blocks."""
    from geoseg.dataset.split.cut import plan_cut, write_cut
    from geoseg.dataset.split.lists import write_lists
    from geoseg.dataset.store import open_dataset
    from geoseg.errors import InputError

    if check:
        raise InputError(
            f"{folder}: is one image, of which geoseg split cuts the labels",
            "split.json says how, once it is cut",
        )
    height = (whole.items[0].size or (0, 0))[0]
    with ProgressBar(folder.name, height * (2 + len(chosen.shares.held)), unit="rows") as bar:
        split = write_cut(whole, plan_cut(whole, chosen, bar), bar)
    asked = {"valid": chosen.shares.valid, "test": chosen.shares.test}
    about = {"seed": chosen.seed, "asked": asked, "fingerprint": open_dataset(folder).fingerprint}
    files = write_lists(folder, split, about)
    if as_json:
        show.as_json(split.to_json() | {"files": [str(path) for path in files]})
        return
    _tell(split, whole, files)


def _tell(split: Split, dataset: DataSet, files: list[Path]) -> None:
    kept = ", ".join(f"{length:g} {unit}" for unit, length in split.buffer.items())
    show.table(
        [
            ("by", f"{split.by} ({split.why})" + (f", buffer {kept}" if kept else "")),
            *((f"{f.name}", str(f)) for f in files),
        ]
    )
    click.echo()
    classes = list(dataset.classes)[:MOST_CLASSES]
    total = max(sum(split.pixels.values()), 1)
    rows = [("", "images", "pixels", *(label.name for label in classes))]
    for part, stems in split.stems.items():
        if stems:
            shares = [f"{split.classes[part][label.id]:.1%}" for label in classes]
            rows.append((part, f"{len(stems):,}", f"{split.pixels[part] / total:.1%}", *shares))
    show.table(rows)
    if split.left_out:
        click.echo(f"left out  {len(split.left_out):,}")
    click.echo()
    show.table((f"{leak.parts[0]} and {leak.parts[1]}", _leak_text(leak)) for leak in split.leaks)
    for words in split.remarks:
        show.warn(words)


def _leak_text(leak: Leak) -> str:
    distance = "no distance known" if leak.distance is None else f"{leak.distance:,.1f} {leak.unit} apart"
    return (
        f"{distance}, {counted(leak.shared_pixels, 'pixel')} shared, "
        f"{counted(leak.identical, 'identical image')}, {leak.alike:,} nearly identical"
    )
