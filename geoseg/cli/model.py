"""``geoseg model``: list, show, check and pack bundles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from geoseg.cli import options, show
from geoseg.cli.types import Range, Size, Words
from geoseg.core import BundleSpec
from geoseg.errors import BundleError, OptionError

if TYPE_CHECKING:
    from geoseg.model.recipe import PackRecipe

bundle_argument = click.argument("bundle", type=options.BUNDLE, required=False, metavar="[NAME|DIR]")
EXPORTS = ("onnx", "openvino", "mlm")
MARKS = {True: "ok", False: "FAILED", None: "not checked"}


@click.group("model", context_settings={"help_option_names": ["-h", "--help"]})
def command() -> None:
    """List, show, check, pack and export model bundles.

    A bundle is a folder with a description, weights and a card. Nothing in it can run.
    """


@command.command("list")
@options.json_option
@options.debug_option
def list_command(as_json: bool) -> None:
    """List the bundles that came with geoseg."""
    from geoseg.model.folder import DEFAULT_BUNDLE, find_bundle, list_bundles, open_folder

    specs = [open_folder(find_bundle(name)).spec for name in list_bundles()]
    if as_json:
        show.as_json(
            [{"name": s.name, "version": s.version, "default": s.name == DEFAULT_BUNDLE} for s in specs]
        )
        return
    if not specs:
        show.warn("no bundle came with this installation: use --bundle with a folder of your own")
    rows = [
        (s.name, s.version, _names(s), _gsd(s), "(default)" if s.name == DEFAULT_BUNDLE else "")
        for s in specs
    ]
    show.table(rows)


@command.command("show")
@bundle_argument
@options.json_option
@options.debug_option
def show_command(bundle: str | None, as_json: bool) -> None:
    """Tell what a bundle reads, what it finds, and how well."""
    from geoseg.model.folder import find_bundle, open_folder

    folder = open_folder(find_bundle(bundle))
    show.bundle_note(bundle, folder.path)
    if as_json:
        show.as_json(folder.spec.to_json() | {"folder": str(folder.path), "sha256": folder.sha256})
        return
    show.table(describe(folder.spec, folder.path))


@command.command("check")
@bundle_argument
@options.json_option
@options.debug_option
@click.pass_context
def check_command(ctx: click.Context, bundle: str | None, as_json: bool) -> None:
    """Check a bundle: its files, its weights, and whether its network answers."""
    from geoseg.model.bundle import check_bundle

    checks = check_bundle(bundle)
    if as_json:
        show.as_json([{"check": c.title, "passed": c.passed, "message": c.message} for c in checks])
    else:
        show.table((MARKS[c.passed], c.title, c.message) for c in checks)
    ctx.exit(0 if all(c.passed for c in checks) else 1)


@command.command("pack")
@click.argument("weights", type=options.PATH)
@click.option("-o", "--output", type=options.TARGET, required=True, metavar="DIR", help="The folder to make.")
@click.option(
    "--recipe", type=options.PATH, help="A JSON file with the entries of this command; options win over it."
)
@click.option("--name", help="Of the bundle; default: the folder's name.")
@click.option("--architecture", help="Unet, UnetPlusPlus, FPN, DeepLabV3Plus, Linknet, Segformer, ...")
@click.option(
    "--encoder", help="As segmentation_models_pytorch names it: resnet34, tu-tf_efficientnet_lite0."
)
@click.option(
    "--bands",
    type=Words(),
    default=(),
    help="Names of the bands that it reads, in their order; default: red,green,blue.",
)
@click.option(
    "--classes",
    type=Words(),
    help="Names without the background, each alone or with a colour: 'road #888888,building'.",
)
@click.option("--gsd", type=Range(), help="Finest and coarsest pixel in metres that it knows: 0.2,0.5")
@click.option("--patch", type=Size(), help="Size of a patch in pixels; default 512.")
@click.option("--overlap", type=Size(), help="What neighbouring patches share; default 128.")
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Probability from which a pixel counts; default: 0.5.",
)
@click.option("--licence", help="Of the weights.")
@click.option("--half", is_flag=True, default=None, help="Store weights as 16-bit numbers.")
@click.option("--trust", is_flag=True, help="Also open a file that can run code when it is opened.")
@options.debug_option
def pack_command(weights: Path, output: Path, trust: bool, **values: Any) -> None:
    """Make a bundle of your own weights for a named architecture.

    WEIGHTS is a safetensors file or a torch checkpoint (a state_dict, also inside one of Lightning's), or a
    STAC item of a model (MLM) that lies beside its weights and says all the rest. What the options do not
    cover (mean, std, max_value, dtype, stretch, activation, has_edges) goes into --recipe.
    """
    from geoseg.model.mlm import is_item, read_item
    from geoseg.model.pack import check_foreign, pack_bundle

    check_foreign(weights)
    recipe = None
    if is_item(weights):
        weights, recipe = read_item(weights)
    bundle = pack_bundle(weights, output, _recipe(output, values, recipe), trust=trust)
    show.table(describe(bundle.spec, output))
    click.echo(f"use it with: geoseg infer SCENE --bundle {output}")


@command.command("export")
@click.argument("bundle", type=options.BUNDLE, metavar="NAME|DIR")
@click.option(
    "-o", "--output", type=options.TARGET, required=True, metavar="DIR", help="Folder for the files."
)
@click.option(
    "--format",
    "formats",
    type=Words(EXPORTS),
    default=EXPORTS,
    help="Some of onnx, openvino and mlm, between commas; default: all.",
)
@options.overwrite_option
@options.json_option
@options.debug_option
def export_command(
    bundle: str, output: Path, formats: tuple[str, ...], overwrite: bool, as_json: bool
) -> None:
    """Write a bundle for other programs: ONNX, OpenVINO, and a STAC item (MLM) that describes it.

    The networks take values as they are stored, and answer with probabilities; each is compared with torch.
    """
    from geoseg.model.bundle import load_bundle
    from geoseg.model.export import export_bundle

    written = export_bundle(load_bundle(bundle), output, formats, overwrite)
    if as_json:
        show.as_json([{"path": str(one.path), "difference": one.difference} for one in written])
        return
    show.table(
        (str(one.path), "" if one.difference is None else f"within {one.difference:.1g} of torch")
        for one in written
    )


def _recipe(output: Path, values: dict[str, Any], item: PackRecipe | None) -> PackRecipe:
    """The recipe file, or what an item says, with the options laid over it."""
    from geoseg.model.recipe import PackRecipe

    if item is not None:
        recipe = item
    elif values["recipe"]:
        recipe = PackRecipe.read(values["recipe"])
    elif values["architecture"]:
        recipe = PackRecipe(values["name"] or output.name, values["architecture"])
    else:
        raise OptionError("the network's architecture is not known", "give --architecture, or --recipe")
    given = {
        "name": values["name"],
        "architecture": values["architecture"],
        "bands": values["bands"],
        "classes": values["classes"],
        "gsd_range_m": values["gsd"],
        "patch": values["patch"],
        "overlap": values["overlap"],
        "threshold": values["threshold"],
        "licence": values["licence"],
        "half": values["half"],
    }
    if values["encoder"]:
        given["arguments"] = {**recipe.arguments, "encoder_name": values["encoder"]}
    return replace(recipe, **{name: value for name, value in given.items() if value})


def describe(spec: BundleSpec, folder: Path) -> list[tuple[str, str]]:
    """A bundle in lines for people."""
    encoder = spec.arguments.get("encoder_name", "")
    rows = [
        ("bundle", f"{spec.name} {spec.version}"),
        ("folder", f"{folder}, {show.bytes_text(folder_size(folder))}"),
        ("finds", _names(spec) + (", and the rims of objects" if spec.has_edges else "")),
        ("reads", f"{', '.join(spec.bands)} ({spec.scaling.dtype}; others: stretch {spec.scaling.stretch})"),
        ("pixels", _gsd(spec)),
        ("network", f"{spec.architecture} {encoder}".rstrip()),
        ("patch", f"{'x'.join(map(str, spec.patch))}, overlap {'x'.join(map(str, spec.overlap))}"),
        ("threshold", f"{spec.threshold:g}"),
        ("licence", spec.licence or "not stated"),
    ]
    if spec.precision is not None:
        verdict = "agrees with" if spec.precision.agrees else "differs from"
        rows.append(("bf16", f"{verdict} fp32: {spec.precision.mean_abs:.4f} on average"))
    rows += [("metric", f"{data}: {_flat(figures)}") for data, figures in spec.metrics.items()]
    rows += [("data", _flat(source)) for source in spec.data]
    return rows


def folder_size(folder: Path) -> int:
    """Bytes of a bundle's files.

    Raises:
        BundleError: if they cannot be listed.
    """
    try:
        return sum(path.stat().st_size for path in folder.iterdir())
    except OSError as error:
        raise BundleError(f"{folder}: {error.strerror or error}") from error


def _names(spec: BundleSpec) -> str:
    return ", ".join(c.name for c in spec.classes.foreground)


def _gsd(spec: BundleSpec) -> str:
    return "any size" if spec.gsd_range_m is None else "{:g}-{:g} m".format(*spec.gsd_range_m)


def _flat(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_flat(item)}" for key, item in value.items())
    return f"{value:.3g}" if isinstance(value, float) else str(value)
