"""What the commands of ``geoseg prepare`` have in common: options, and how results are told."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.types import RenamedOption
from geoseg.core.text import counted

if TYPE_CHECKING:
    from geoseg.dataset.annotated import Annotations, ImageSelection, Target
    from geoseg.dataset.items import DataSet

IGNORED = "uniform along the border: ignored (--keep-collar labels them)"
output_option = click.option(
    "-o",
    "--output",
    type=options.TARGET,
    required=True,
    metavar="DIR",
    help="The data set's folder, made new.",
)
source_options = options.all_of(
    options.alpha_option,
    click.option("--source", help="Name of the source; default: that of the labels' file or folder."),
    click.option("--licence", default="", help="Of the source, as its makers state it."),
    click.option(
        "--gsd-m",
        type=click.FloatRange(min=0, min_open=True),
        help="Side of a pixel in metres, for images that do not say where they lie.",
    ),
    options.collar_option,
)
choice_options = options.all_of(
    click.option(
        "--drop-empty", is_flag=True, help="Leave out images without objects; else they are background."
    ),
    click.option(
        "--max-issues",
        "--max-irregular",
        "max_irregular",
        cls=RenamedOption,
        type=click.IntRange(min=0),
        help="Leave out images with more irregularities than this.",
    ),
    click.option(
        "--keep-cleanest",
        "--best",
        "best",
        cls=RenamedOption,
        type=click.IntRange(min=1),
        help="Keep this many images: those with the fewest irregularities.",
    ),
)
images_option = click.option(
    "--images", type=options.PATH, metavar="DIR", help="Folder of the images; default: that of the labels."
)

annotator_option = click.option(
    "--annotator",
    metavar="NAME",
    help="Take the annotations of this person alone: an address, a name or a number, as the file has it.",
)


class Class(click.ParamType[Any]):
    """``building=#3C1098``, ``building=255`` or a name alone."""

    name = "NAME[=COLOUR|VALUE]"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse."""
        from geoseg.dataset.classlists import parse_class

        if not isinstance(value, str):
            return value
        try:
            return parse_class(value)
        except ValueError as error:
            self.fail(
                f"{value!r}: {error}; use building=#3C1098, building=60,16,152 or building=255", param, ctx
            )


class Nodata(click.ParamType[Any]):
    """A value, or a word."""

    name = "VALUE|none"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse."""
        if value in ("file", "none") or isinstance(value, int):
            return value
        if not re.fullmatch(r"-?\d+", value):
            self.fail(f"{value!r} is no value; use a whole number or none", param, ctx)
        return int(value)


folder_argument = click.argument("folder", type=options.PATH, required=False)
mask_place_options = options.all_of(
    click.option(
        "--images", type=options.PATH, help="Folder of the images, or one image, in place of FOLDER."
    ),
    click.option("--masks", type=options.PATH, help="Folder of the masks, or one mask; with --images."),
    click.option("--suffix", help="What masks' names have in addition (_P); default: found out."),
)
class_options = options.all_of(
    click.option(
        "--classes",
        type=options.PATH,
        metavar="FILE",
        help="List of the classes: .csv, .json or text, with colours or values.",
    ),
    click.option(
        "--class",
        "named",
        type=Class(),
        multiple=True,
        help="A class and its colour or value; may be repeated; in place of --classes.",
    ),
)
mask_options = options.all_of(
    click.option(
        "--tolerance",
        type=click.IntRange(0, 127),
        help="How far a value, or each channel of a colour, may be off; default: 0, but for JPEG masks half "
        "of what is between two classes, or up to 20 between more values.",
    ),
    click.option(
        "--unknown",
        type=click.Choice(["refuse", "ignore", "background"]),
        default="refuse",
        show_default=True,
        help="What becomes of colours or values that are of no class.",
    ),
    click.option(
        "--label-offset",
        type=int,
        default=0,
        show_default=True,
        help="Subtract this from masks' values: 1 where they begin with 1.",
    ),
    click.option(
        "--map",
        "mapping",
        multiple=True,
        metavar="VALUE=ID|FILE",
        help="A value and its class id, or a file of such pairs; may be repeated; all others are ignored.",
    ),
    click.option(
        "--mask-nodata",
        type=Nodata(),
        default="file",
        help="The value of masks that is to be ignored, or none; default: what files declare as no data.",
    ),
)


def target_from(labels: Path, output: Path, overwrite: bool, values: Mapping[str, Any]) -> Target:
    """What the user chose by :data:`output_option` and :data:`source_options`."""
    from geoseg.dataset.annotated import Target
    from geoseg.dataset.items import DataSource

    name = labels.resolve().stem if labels.is_file() else labels.resolve().name
    source = DataSource(values["source"] or name, values["licence"], origin=labels.name)
    return Target(
        output, source, values["gsd_m"], overwrite, values["alpha"], keep_collar=values["keep_collar"]
    )


def choice_from(values: Mapping[str, Any]) -> ImageSelection:
    """What the user chose by :data:`choice_options`."""
    from geoseg.dataset.annotated import ImageSelection

    return ImageSelection(values["drop_empty"], values["max_irregular"], values["best"])


def make_annotated(annotations: Annotations, target: Target, values: Mapping[str, Any]) -> None:
    """Make the data set of annotated images, tell what was irregular and what came of it."""
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.annotated import prepare_annotated
    from geoseg.dataset.irregular import count_kinds

    kinds = count_kinds(annotations.irregularities)
    for kind, count in kinds.items():
        example = next(i for i in annotations.irregularities if i.kind == kind)
        click.echo(f"irregular: {kind}: {count:,} (first: {example.annotation} in {example.file})", err=True)
    for line in annotations.told:
        click.echo(line, err=True)
    choice = choice_from(values)
    with ProgressBar(target.folder.name, len(choice.of(annotations.images)), unit="images") as bar:
        dataset = prepare_annotated(annotations, target, choice, bar)
    left_out = len(annotations.images) - len(dataset.items)
    tell(dataset, values["as_json"], {"irregular": kinds, "left_out": left_out})


def tell(dataset: DataSet, as_json: bool, more: Mapping[str, Any] | None = None) -> None:
    """Print what a data set holds."""
    from geoseg.dataset.pairs import names_of
    from geoseg.dataset.staging import replaced

    for old in replaced(dataset.folder):
        click.echo(f"{old}: the data set that was replaced could not be removed: delete it", err=True)
    empty = [item.stem for item in dataset.items if item.objects and not any(item.counts[1:-1])]
    if empty:
        click.echo(
            f"not one pixel of their objects is drawn: {names_of(empty)}: objects are smaller than a pixel, "
            "or the images have no data there",
            err=True,
        )
    counts = dataset.totals()
    told = {
        "folder": str(dataset.folder),
        **counts,
        "splits": {name: len(stems) for name, stems in dataset.splits.items() if stems},
        "fingerprint": dataset.fingerprint,
        "notes": list(dataset.notes),
        **(more or {}),
    }
    if as_json:
        show.as_json(told)
        return
    for note in dataset.notes:
        show.warn(note)
    pixels = sum(counts["pixels"].values()) + counts["ignored_pixels"]
    rows = [("data set", f"{dataset.folder}: {counted(counts['images'], 'image')}")]
    if told.get("left_out"):
        rows.append(("left out", counted(told["left_out"], "image")))
    if counts["objects"] is not None:
        rows.append(("objects", f"{counts['objects']:,}"))
    rows += [
        ("source", f"{name}: {counted(count, 'image')}") for name, count in told.get("sources", {}).items()
    ]
    rows += [("split", f"{name} {count:,}") for name, count in told["splits"].items()]
    named = [*counts["pixels"].items(), ("to be ignored", counts["ignored_pixels"])]
    if counts["collars"]:
        share = counts["collar_pixels"] / max(pixels, 1)
        rows.append(
            ("collars", f"{counted(counts['collars'], 'image')}, {share:.1%} of all pixels: {IGNORED}")
        )
    rows += [(f"  {name}", f"{count:,} px, {count / max(pixels, 1):.1%}") for name, count in named]
    if told.get("irregular"):
        rows.append(("irregular", f"{sum(told['irregular'].values()):,}, listed in irregular.tsv"))
    show.table(rows)


def make_of_masks(folder: Path | None, output: Path, values: Mapping[str, Any]) -> None:
    """Make the data set of images and masks, and tell what came of it."""
    from geoseg.cli.progress import ProgressBar
    from geoseg.dataset.classlists import ClassTable, read_class_list
    from geoseg.dataset.label_map import MaskOptions
    from geoseg.dataset.maskset import MaskPlaces, check_masks, prepare_masks

    if values["classes"] and values["named"]:
        raise click.UsageError("--classes and --class: use one of them")
    table = read_class_list(values["classes"]) if values["classes"] else None
    table = ClassTable(values["named"], "--class") if values["named"] else table
    chosen = MaskOptions(
        values["tolerance"],
        values["unknown"],
        values["label_offset"],
        _mapping(values["mapping"]),
        values["mask_nodata"],
    )
    places = MaskPlaces(folder, values["images"], values["masks"], values["suffix"])
    count = len(places.pairs())
    with ProgressBar("masks looked at", count, unit="masks") as bar:
        masks = check_masks(places, table, chosen, bar)
    for line in masks.agreement.told:
        click.echo(line, err=True)
    target = target_from(folder or values["images"], output, values["overwrite"], values)
    with ProgressBar(output.name, count, unit="images") as bar:
        dataset = prepare_masks(masks, target, bar)
    tell(dataset, values["as_json"])


def _mapping(given: tuple[str, ...]) -> dict[int, int] | None:
    """``7=0`` and files of such lines as one table."""
    pairs: dict[int, int] = {}
    for text in given:
        pairs |= _map_file(Path(text)) if Path(text).is_file() else _map_words(text)
    return pairs or None


def _map_words(text: str) -> dict[int, int]:
    found = [(word, _pair(word)) for word in text.split(",") if word.strip()]
    wrong = next((word for word, pair in found if pair is None), None if found else text)
    if wrong is not None:
        raise click.UsageError(f"--map: {wrong!r} is no pair; use 7=0")
    return dict(pair for _, pair in found if pair)


def _map_file(path: Path) -> dict[int, int]:
    from geoseg.errors import InputError

    remedy = "a pair a line: 7,0"
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--map {path}: cannot be read: {error}", remedy) from error
    if lines and not re.search(r"\d", lines[0]):  # a header
        lines[0] = ""
    found = [(number, line, _pair(line)) for number, line in enumerate(lines, start=1) if line.strip()]
    for number, line, pair in found:
        if pair is None:
            raise InputError(f"--map {path}: line {number}: {line[:80]!r} is no pair", remedy)
    if not found:
        raise InputError(f"--map {path}: holds no pairs", remedy)
    return dict(pair for _, _, pair in found if pair)


def _pair(text: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"\s*(-?\d+)\s*[=:,;\t ]\s*(\d+)\s*", text)
    return (int(match[1]), int(match[2])) if match else None
