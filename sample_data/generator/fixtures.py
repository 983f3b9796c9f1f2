"""Chimneys, skylights, solar panels, water tanks, stair heads, vents: what stands on roofs."""

from __future__ import annotations

import numpy as np

from sample_data.generator import palette
from sample_data.generator.buildings import Fixture
from sample_data.generator.canvas import Colour
from sample_data.generator.geometry import OrientedBox
from sample_data.generator.site import Site

GLASS = (58, 70, 88)
PANEL = (34, 42, 66)


def _at(
    axes: OrientedBox, centre: tuple[float, float], size: tuple[float, float], look: tuple[float, Colour]
) -> Fixture:
    (u, v), (du, dv) = centre, (size[0] / 2, size[1] / 2)
    return Fixture(axes.rectangle((u - du, u + du), (v - dv, v + dv)), *look)


def disc(
    axes: OrientedBox, centre: tuple[float, float], radius: float, look: tuple[float, Colour]
) -> Fixture:
    """A round fixture: rise and colour in `look`."""
    angle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    x, y = axes.at(*centre)
    ring = np.stack([x + radius * np.cos(angle), y + radius * np.sin(angle)], axis=1)
    return Fixture(ring, *look)


def on_pitched(site: Site, axes: OrientedBox) -> tuple[Fixture, ...]:
    """Chimneys by the ridge, roof windows, sometimes solar panels on one slope."""
    half_u, half_v = axes.length / 2, axes.width / 2
    found = []
    for _ in range(int(site.rng.integers(0, 3))):
        centre = (site.between(-0.75, 0.75) * half_u, site.between(-0.35, 0.35) * half_v)
        side = site.between(0.5, 0.9)
        found.append(
            _at(
                axes,
                centre,
                (side, side),
                (site.between(0.8, 1.6), palette.pick(site.rng, [(120, 84, 74), (130, 124, 120)])),
            )
        )
    slope = float(site.rng.choice([-1, 1]))
    if site.chance(0.3):
        for u in np.arange(-0.6, 0.6, 0.35):
            if site.chance(0.6):
                found.append(_at(axes, (u * half_u, 0.5 * slope * half_v), (0.8, 1.2), (0.0, GLASS)))
    elif site.chance(0.16):
        count = int(site.rng.integers(2, 7))
        start = site.between(-0.7, 0.1) * half_u
        for k in range(count):
            if start + k * 1.08 + 0.6 < half_u * 0.8:
                found += [
                    _at(axes, (start + k * 1.08, -slope * half_v * f), (1.0, half_v * 0.3), (0.0, PANEL))
                    for f in (0.34, 0.68)
                ]
    return tuple(found)


def on_terrace(site: Site, axes: OrientedBox) -> tuple[Fixture, ...]:
    """A lived-in flat roof: stair head, water tanks, a solar heater, a sheet of metal."""
    half_u, half_v = axes.length / 2, axes.width / 2
    found: list[Fixture] = []
    corner = (float(site.rng.choice([-1, 1])), float(site.rng.choice([-1, 1])))
    tone = palette.pick(site.rng, palette.CONCRETE)
    if site.chance(0.6) and half_v > 2.6:
        size = (site.between(2.4, 3.6), site.between(2.2, 3.0))
        centre = (corner[0] * (half_u - size[0] / 2 - 0.2), corner[1] * (half_v - size[1] / 2 - 0.2))
        found.append(_at(axes, centre, size, (2.4, tone)))
    if site.chance(0.3) and half_v > 3:
        share = (site.between(0.35, 0.8) * half_u, site.between(0.5, 0.9) * half_v)
        sheet = palette.pick(site.rng, palette.METAL + palette.BLUE + palette.RUST)
        centre = (-corner[0] * (half_u - share[0] / 2 - 0.3), -corner[1] * (half_v - share[1] / 2 - 0.3))
        found.append(_at(axes, centre, share, (2.2, sheet)))
    for _ in range(int(site.rng.poisson(1.1))):
        spot = (site.between(-0.8, 0.8) * half_u, site.between(-0.75, 0.75) * half_v)
        found.append(disc(axes, spot, site.between(0.5, 0.8), (1.3, palette.pick(site.rng, palette.TANKS))))
    if site.chance(0.3):
        spot = (site.between(-0.6, 0.6) * half_u, site.between(-0.5, 0.5) * half_v)
        found.append(_at(axes, spot, (2.0, 1.1), (0.7, PANEL)))
    found += clutter(site, axes, 1.5)
    return tuple(found)


def clutter(site: Site, axes: OrientedBox, mean: float) -> list[Fixture]:
    """Small things of any colour, low."""
    found = []
    for _ in range(int(site.rng.poisson(mean))):
        spot = (site.between(-0.8, 0.8) * axes.length / 2, site.between(-0.8, 0.8) * axes.width / 2)
        size = (site.between(0.5, 1.8), site.between(0.4, 1.1))
        colour = palette.pick(site.rng, palette.CONCRETE + palette.METAL + palette.RUST, 14)
        found.append(_at(axes, spot, size, (site.between(0.1, 0.7), colour)))
    return found


def on_slab(site: Site, axes: OrientedBox) -> tuple[Fixture, ...]:
    """A block of flats: a stair head and machinery every 14-20 m, sometimes rows of collectors."""
    found, half_u, half_v = [], axes.length / 2, axes.width / 2
    step, off = site.between(13, 20), site.between(-0.3, 0.3) * half_v
    collectors = site.chance(0.35)
    for u in np.arange(-half_u + step / 2, half_u - 2, step):
        found.append(
            _at(axes, (float(u), off), (4.2, 3.4), (2.6, palette.pick(site.rng, palette.CONCRETE, 4)))
        )
        if collectors:
            found += [
                _at(axes, (float(u) + d, -0.55 * half_v), (1.3, 1.8), (0.6, PANEL))
                for d in (-4.0, -2.2, 2.2, 4.0)
            ]
    found += clutter(site, axes, axes.length / 9)
    return tuple(found)


def on_hall(site: Site, axes: OrientedBox) -> tuple[Fixture, ...]:
    """Strips of daylight across the slopes, vents along the ridge, machines."""
    found, half_u, half_v = [], axes.length / 2, axes.width / 2
    look = site.one_of(["strips", "vents", "machines", "solar", "bare"], [3, 2, 3, 1, 1])
    step = site.between(5, 9)
    for u in np.arange(-half_u + step, half_u - step / 2, step):
        if look == "strips":
            bright = palette.pick(site.rng, [(206, 214, 216), (190, 202, 206)], 4)
            found += [
                _at(axes, (float(u), s * half_v * 0.5), (1.1, half_v * 0.62), (0.0, bright)) for s in (-1, 1)
            ]
        elif look == "vents":
            found.append(disc(axes, (float(u), 0.0), 0.7, (0.9, (188, 190, 192))))
        elif look == "solar":
            found += [
                _at(axes, (float(u), s * half_v * 0.5), (step * 0.7, half_v * 0.7), (0.1, PANEL))
                for s in (-1, 1)
            ]
    if look == "machines":
        for _ in range(int(site.rng.integers(2, 9))):
            spot = (site.between(-0.85, 0.85) * half_u, site.between(-0.8, 0.8) * half_v)
            size = (site.between(1.5, 5), site.between(1.5, 3))
            found.append(
                _at(axes, spot, size, (site.between(0.8, 2.2), palette.pick(site.rng, palette.METAL)))
            )
    return tuple(found)
