"""Where houses touch: old towns, dense concrete towns, informal settlements."""

from __future__ import annotations

import shapely
import shapely.affinity
from shapely.geometry import Polygon

from sample_data.generator import palette
from sample_data.generator.buildings import (
    Building,
    Cover,
    Roof,
    Wing,
    block_wing,
    polygon_wing,
    rectangular_wings,
)
from sample_data.generator.fixtures import clutter, on_pitched, on_terrace
from sample_data.generator.geometry import OrientedBox, axes_of, fitted
from sample_data.generator.site import Site


def convex_part(parcel: Polygon) -> Polygon | None:
    """The parcel itself where it is nearly convex, without tiny edges; else None."""
    shape = shapely.simplify(parcel, 0.5)
    if not isinstance(shape, Polygon) or shape.interiors or shape.area < 14:
        return None
    hull = shape.convex_hull
    if shape.area > 0.995 * hull.area:
        return shapely.orient_polygons(hull)
    axes = axes_of(shape)
    fit = fitted(shape, axes, (axes.length * 0.97, axes.width * 0.97))
    if fit is None:
        return None
    return Polygon(fit.rectangle((-fit.length / 2, fit.length / 2), (-fit.width / 2, fit.width / 2)))


def old_town_parcel(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A house that fills its parcel under a steep roof; yards in the middle of the block."""
    depth = block.exterior.distance(parcel.centroid)
    if site.chance(0.04 + 0.5 * (depth > 13)) or not site.chance(site.recipe.building_density):
        _yard(site, parcel, site.chance(0.4))
        return
    shape = convex_part(parcel)
    if shape is None:
        _yard(site, parcel, True)
        return
    axes = axes_of(shape)
    large = shape.area > 330 and site.chance(0.7)
    if large:
        fit = fitted(parcel, axes, (axes.length * 0.96, axes.width * 0.96))
        if fit is not None:
            _yard(site, parcel, False)
            _court(site, fit)
            return
    low = site.chance(0.12)
    kind = "flat" if low or site.chance(0.08) else site.one_of(["gable", "hip"], [4, 1.3])
    roof = Roof(kind, site.between(3, 4) if low else site.between(6.5, 12.5), site.between(0.4, 0.85))
    if kind == "flat":
        cover = Cover(
            "gravel", palette.pick(site.rng, palette.GRAVEL + palette.CONCRETE), 0.4, site.between(0.2, 0.9)
        )
    else:
        cover = Cover("tiles", site.tile_colour(), wear=site.between(0.3, 1.0))
    extras = tuple(clutter(site, axes, 1.0)) if kind == "flat" else on_pitched(site, axes)
    site.build((polygon_wing(shape, roof),), cover, extras)


def _court(site: Site, fit: OrientedBox) -> None:
    roof = Roof("gable", site.between(8, 13), site.between(0.4, 0.7))
    wings = rectangular_wings(fit, roof, site.one_of(["court", "U", "L"], [3, 2, 2]), site.rng)
    site.build(wings, Cover("tiles", site.tile_colour(), wear=site.between(0.3, 0.9)))


def _yard(site: Site, parcel: Polygon, green: bool) -> None:
    colour = site.grass(0.3) if green else palette.pick(site.rng, palette.PAVING)
    site.lay(parcel, colour, (0.1, 0.1))
    site.scatter(parcel, parcel.area / 60, (0.8, 3.8))


def dense_parcel(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A concrete house of one to six storeys with a terrace on top, close to or touching its neighbours."""
    ground = site.rng.random()
    tone = site.grass(0.4) if ground < 0.35 else palette.pick(site.rng, palette.SOIL + palette.PAVING)
    site.lay(parcel, tone, (0.14, 0.12))
    if not site.chance(0.86 * site.recipe.building_density):
        site.scatter(parcel, parcel.area / 40, (0.5, 3.4))
        return
    gap = 0.0 if site.chance(0.4) else site.between(0.2, 1.6)
    shape = convex_part(parcel.buffer(-gap, join_style="mitre")) if gap else convex_part(parcel)
    if shape is None:
        return
    axes = axes_of(shape)
    if axes.width < 4.5 or site.chance(0.14):
        _low_metal(site, shape)
        return
    storeys = 1 + int(site.rng.binomial(5, 0.36))
    fit = OrientedBox(axes.centre, axes.along, axes.length * 0.99, axes.width * 0.99)
    if site.chance(0.45) and shape.area > 0.9 * axes.length * axes.width:
        wings = _stepped(site, fit, storeys)
    else:
        wings = (polygon_wing(shape, Roof("flat", storeys * 3.0 + 0.3)),)
    if not shape.buffer(0.3).covers(shapely.union_all([Polygon(w.corners) for w in wings])):
        wings = (polygon_wing(shape, Roof("flat", storeys * 3.0 + 0.3)),)
    colours = palette.CONCRETE * 3 + palette.PAINTED
    cover = Cover(
        "concrete", palette.pick(site.rng, colours, 9), site.between(0.3, 0.9), site.between(0.2, 1.0)
    )
    site.build(wings, cover, on_terrace(site, fit))
    site.scatter(parcel.difference(shape), parcel.area / 110, (0.5, 2.4))


def _stepped(site: Site, fit: OrientedBox, storeys: int) -> tuple[Wing, ...]:
    """Two parts of different height; together a rectangle or an L."""
    half_u, half_v = fit.length / 2, fit.width / 2
    cut = site.between(-0.35, 0.35) * half_u
    side = float(site.rng.choice([-1, 1]))
    back = half_v * site.between(0.3, 1.0) if site.chance(0.5) else half_v
    low, high = max(1, storeys - int(site.rng.integers(1, 3))), storeys + 1
    main = block_wing(fit, (-half_u, cut), (-half_v, half_v), Roof("flat", high * 3.0))
    v = (-half_v, back) if side > 0 else (-back, half_v)
    return main, block_wing(fit, (cut, half_u), v, Roof("flat", low * 3.0))


def _low_metal(site: Site, shape: Polygon) -> Building:
    roof = Roof(site.one_of(["shed", "gable"], [3, 2]), site.between(2.4, 3.6), site.between(0.08, 0.3))
    colour = palette.pick(
        site.rng,
        palette.METAL * 4 + palette.RUST * 3 + palette.BLUE + palette.GREEN[:1] + palette.BROWN[:2],
        10,
    )
    return site.build((polygon_wing(shape, roof),), Cover("metal", colour, wear=site.between(0.2, 1.0)))


def informal_parcel(site: Site, parcel: Polygon, block: Polygon) -> None:
    """A shack of metal sheets, tight to its neighbours."""
    site.lay(parcel, palette.pick(site.rng, palette.SOIL), (0.12, 0.1))
    if not site.chance(0.87 * site.recipe.building_density):
        site.scatter(parcel, 0.8, (0.6, 2.8))
        return
    gap = 0.0 if site.chance(0.35) else site.between(0.1, 0.8)
    shape = convex_part(parcel.buffer(-gap, join_style="mitre"))
    if shape is None:
        return
    if gap > 0.3 and site.chance(0.5):
        turned = shapely.affinity.scale(shapely.affinity.rotate(shape, site.rng.normal(0, 7)), 0.92, 0.92)
        shape = turned if parcel.covers(turned) else shape
    if site.chance(0.13):
        cover = Cover("concrete", palette.pick(site.rng, palette.CONCRETE), 0.3, site.between(0.4, 1))
        axes = axes_of(shape)
        site.build(
            (polygon_wing(shape, Roof("flat", site.between(3, 6.5))),), cover, tuple(clutter(site, axes, 2))
        )
        return
    _low_metal(site, shape)
