"""Charts as SVG, drawn by hand: they follow light and dark, and stay sharp in print."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 560, 320
LEFT, RIGHT, TOP, BOTTOM = 68, 16, 14, 46
TICKS = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
HALO = 'paint-order="stroke" stroke="var(--card)" stroke-width="5" stroke-linejoin="round"'
"""Words stay readable where a curve runs below them."""
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Line:
    """A curve in the unit square.

    Attributes:
        name: in the legend; empty for none.
        colour: CSS.
        points: x and y from 0 to 1; those that are no numbers break the curve.
        dashed: for what is only there to compare with.
        dots: radius of a dot at each point, in pixels; empty for none.
    """

    name: str
    colour: str
    points: Sequence[Point]
    dashed: bool = False
    dots: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Axes:
    """What the sides of a chart mean.

    Attributes:
        x: words below.
        y: words at the left.
        x_ticks: values that are named; the first and the last are the left and the right end.
        names_above: whether the legend lies at the top; else at the bottom. It lies at the left.
    """

    x: str
    y: str
    x_ticks: tuple[float, ...] = TICKS
    names_above: bool = False


def line_chart(
    axes: Axes, lines: Iterable[Line], mark: tuple[Point, str] | None = None, alt: str = ""
) -> str:
    """Curves over a unit square.

    Args:
        axes: what the sides mean.
        lines: the first lies below the others.
        mark: a point to be seen, and words beside it.
        alt: what is to be seen, for those who cannot.
    """
    drawn = list(lines)
    body = _frame(axes) + "".join(_line(line, axes) for line in drawn) + _names(drawn, axes)
    if mark is not None:
        body += _mark(mark[0], mark[1], axes)
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" '
        f'aria-label="{html.escape(alt)}" font-size="13" font-family="inherit">{body}</svg>'
    )


def _place(point: Point, axes: Axes) -> Point:
    low, high = axes.x_ticks[0], axes.x_ticks[-1]
    x = LEFT + (point[0] - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    return x, HEIGHT - BOTTOM - point[1] * (HEIGHT - TOP - BOTTOM)


def _frame(axes: Axes) -> str:
    faint = 'fill="currentColor" fill-opacity=".7"'
    parts = []
    for tick in TICKS:
        _, y = _place((axes.x_ticks[0], tick), axes)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
            f'stroke-opacity=".14"/>'
            f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end" {faint}>{100 * tick:.0f} %</text>'
        )
    for tick in axes.x_ticks:
        x, _ = _place((tick, 0.0), axes)
        below = HEIGHT - BOTTOM + 18
        parts.append(f'<text x="{x:.1f}" y="{below}" text-anchor="middle" {faint}>{tick:g}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(
        f'<text x="{middle:.0f}" y="{HEIGHT - 8}" text-anchor="middle" fill="currentColor">'
        f"{html.escape(axes.x)}</text>"
        f'<text transform="translate(13 {(HEIGHT - BOTTOM + TOP) / 2:.0f}) rotate(-90)" text-anchor="middle" '
        f'fill="currentColor">{html.escape(axes.y)}</text>'
    )
    return "".join(parts)


def _line(line: Line, axes: Axes) -> str:
    pieces: list[list[Point]] = [[]]
    dots = []
    for i, point in enumerate(line.points):
        if math.isnan(point[0]) or math.isnan(point[1]):
            pieces.append([])
            continue
        x, y = _place(point, axes)
        pieces[-1].append((x, y))
        if line.dots:
            dots.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{line.dots[i]:.1f}" fill="{line.colour}"/>')
    dash = ' stroke-dasharray="5 5" stroke-opacity=".6"' if line.dashed else ""
    curves = [
        f'<polyline fill="none" stroke="{line.colour}" stroke-width="2" stroke-linejoin="round"{dash} '
        f'points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in piece)}"/>'
        for piece in pieces
        if len(piece) > 1
    ]
    return "".join(curves + dots)


def _names(lines: Sequence[Line], axes: Axes) -> str:
    named = [line for line in lines if line.name]
    parts = []
    first = TOP + 20 if axes.names_above else HEIGHT - BOTTOM + 5 - 19 * len(named)
    for i, line in enumerate(named):
        y = first + 19 * i
        parts.append(
            f'<line x1="{LEFT + 12}" x2="{LEFT + 34}" y1="{y - 4}" y2="{y - 4}" stroke="{line.colour}" '
            f'stroke-width="3"/><text x="{LEFT + 41}" y="{y}" fill="currentColor" {HALO}>'
            f"{html.escape(line.name)}</text>"
        )
    return "".join(parts)


def _mark(point: Point, words: str, axes: Axes) -> str:
    x, y = _place(point, axes)
    anchor, shift = ("end", -9) if x > WIDTH / 2 else ("start", 9)
    above = y - 12 if y > TOP + 24 else y + 22
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="none" stroke="currentColor" stroke-width="2"/>'
        f'<text x="{x + shift:.1f}" y="{above:.1f}" text-anchor="{anchor}" fill="currentColor" '
        f'font-weight="600" {HALO}>{html.escape(words)}</text>'
    )


def matrix(names: Sequence[str], counts: Sequence[Sequence[int]]) -> str:
    """A confusion matrix as a table, each row shaded by how its counts are shared out.

    Args:
        names: of the classes.
        counts: rows: truth, columns: prediction.
    """
    head = "".join(f'<th class="number">{html.escape(name)}</th>' for name in names)
    rows = []
    for name, row in zip(names, counts, strict=True):
        total = sum(row)
        cells = "".join(_cell(count, total) for count in row)
        rows.append(f"<tr><th>{html.escape(name)}</th>{cells}</tr>")
    return (
        f'<div class="sideways"><table><thead><tr><th>truth \\ prediction</th>{head}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>\n"
    )


def _cell(count: int, total: int) -> str:
    share = count / total if total else 0.0
    shade = f"color-mix(in srgb, var(--accent) {55 * share:.0f}%, transparent)"
    words = f"{100 * share:.1f} %" if total else "-"
    style = f"background:{shade};padding:7px 12px"
    return f'<td class="number" style="{style}" title="{count:,} pixels">{words}</td>'
