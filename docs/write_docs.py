"""Write what the docs take from elsewhere: `docs/cli.md` from the commands, figures from the bench."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from geoseg.cli.main import cli

ROOT = Path(__file__).parents[1]
CLI = ROOT / "docs" / "cli.md"
README = ROOT / "README.md"
RESULTS = ROOT / "bench" / "results.json"
BEGIN, END = "<!-- figures: begin -->", "<!-- figures: end -->"
WIDTH = 100

INTRODUCTION = """\
# Command line

Written by `make docs` from the commands themselves. Exit codes: 0 done, 1 the input, disk or machine (one
line says what, where and the remedy), 2 usage, 130 interrupted. Progress goes to stderr, results to stdout.
"""

FIGURES = {
    "accuracy.banepa_east_pixel_iou": "pixel IoU of buildings, Banepa (Nepal), the part not trained on",
    "accuracy.banepa_east_footprint_f1": "footprint F1 there, at IoU over 0.5",
    "accuracy.rio_pixel_iou": "pixel IoU on SpaceNet Rio, never seen in training",
    "accuracy.rio_footprint_f1": "footprint F1 there",
    "infer.share_of_raw": "end to end with polygons, speed by that of the network alone (1 is the limit)",
    "infer.times_faster_than_monai": "times faster than MONAI's sliding window (in fp32, geoseg in bf16)",
    "infer.times_faster_than_plain_loop": "the same, by a plain rasterio and torch loop",
    "infer.patches_per_s": "patches of 512x512 px a second, embedded model, two cores",
    "infer.peak_mb": "peak memory of that run, MB",
    "engine.share_of_floor_do_nothing": "a network that does nothing: speed by that of decoding and encoding",
    "memory.growth_4k_to_32k_rows": "peak memory of 32,000 rows by that of 4,000",
    "start.help_s": "`geoseg --help`, seconds",
    "start.info_s": "`geoseg info`, seconds",
}
"""Keys of ``bench/results.json`` that the README shows, with their words; those not measured are left out."""


def command_pages() -> str:
    """The help of every command as Markdown."""
    parts = [INTRODUCTION]
    with click.Context(cli, info_name="geoseg", terminal_width=WIDTH, **cli.context_settings) as context:
        parts += _pages(cli, context, depth=2)
    return "\n".join(parts)


def _pages(command: click.Command, context: click.Context, depth: int) -> list[str]:
    text = "\n".join(line.rstrip() for line in command.get_help(context).splitlines())
    pages = [f"{'#' * depth} {context.command_path}\n\n```text\n{text}\n```\n"]
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            child = command.get_command(context, name)
            assert child is not None
            with click.Context(child, parent=context, info_name=name, terminal_width=WIDTH) as inner:
                pages += _pages(child, inner, min(depth + 1, 3))
    return pages


def figure_table() -> str:
    """The bench's figures as a Markdown table."""
    results = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    measured = {words: results[key] for key, words in FIGURES.items() if key in results}
    if not measured:
        return "No figures yet: `make bench`, then `make docs`."
    rows = ["| figure | median | least to greatest | commit |", "|---|---:|---:|---|"]
    for words, figure in measured.items():
        value, low, high = (_short(figure[name]) for name in ("value", "low", "high"))
        rows.append(f"| {words} | {value} | {low} to {high} | {figure['commit'][:7]} |")
    places = dict.fromkeys((figure["commit"][:7], figure["machine"]) for figure in measured.values())
    return "\n".join([*rows, "", *(f"- {commit}: {machine}." for commit, machine in places)])


def _short(value: float) -> str:
    """Three digits, and no exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def with_figures(readme: str) -> str:
    """The README with its table of figures written anew."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{figure_table()}\n{END}{after}"


def main() -> int:
    """Write both files."""
    CLI.write_text(command_pages(), encoding="utf-8")
    README.write_text(with_figures(README.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
