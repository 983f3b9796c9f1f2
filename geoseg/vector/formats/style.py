"""How QGIS (3.22 and later) draws polygons: by class, outlines that read over imagery, or by confidence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

from geoseg.core import LabelClass

FILL_ALPHA, CASING_ALPHA = 26, 190
RAMP = ((0.5, "#d7191c"), (0.6, "#fdae61"), (0.7, "#ffffbf"), (0.8, "#a6d96a"), (0.9, "#1a9641"))
"""Lower bounds of confidence and their colours (ColorBrewer RdYlGn)."""

_HEAD = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"
_STYLES_TABLE = """
CREATE TABLE IF NOT EXISTS layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')))
"""
_REGISTER = """
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change, srs_id)
SELECT 'layer_styles', 'attributes', 'layer_styles', '', strftime('%Y-%m-%dT%H:%M:%fZ','now'), 0
WHERE NOT EXISTS (SELECT 1 FROM gpkg_contents WHERE table_name = 'layer_styles')
"""
_INSERT = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, styleName,
styleQML,
  styleSLD, useAsDefault, description, owner) VALUES ('', '', ?, ?, ?, ?, '', ?, ?, '')
"""


def class_style(classes: Iterable[LabelClass], attribute: str = "class") -> str:
    """QML that draws each class, whose name an attribute holds, in its colour."""
    items = [(c.name, c.name, c.colour) for c in classes]
    rows = [
        f'<category render="true" symbol="{i}" value={quoteattr(value)} label={quoteattr(label)}/>'
        for i, (value, label, _) in enumerate(items)
    ]
    body = f"<categories>{''.join(rows)}</categories>{_symbols([c for _, _, c in items])}"
    return _document(
        f'<renderer-v2 type="categorizedSymbol" attr="{attribute}" forceraster="0">{body}</renderer-v2>'
    )


def confidence_style() -> str:
    """QML that draws polygons from red (unsure) to green (sure)."""
    stops = [0.0, *(low for low, _ in RAMP[1:]), 1.0]
    rows = [
        f'<range render="true" symbol="{i}" lower="{low}" upper="{high}" label="{low:.0%} - {high:.0%}"/>'
        for i, (low, high) in enumerate(pairwise(stops))
    ]
    body = f"<ranges>{''.join(rows)}</ranges>{_symbols([colour for _, colour in RAMP])}"
    head = '<renderer-v2 type="graduatedSymbol" attr="confidence" graduatedMethod="GraduatedColor">'
    return _document(f"{head}{body}</renderer-v2>")


def add_styles(
    package: Path, layer: str, column: str, classes: Iterable[LabelClass], attribute: str = "class"
) -> None:
    """Put both styles into a GeoPackage, the one by class as the layer's default.

    Args:
        package: an existing GeoPackage.
        layer: the table that is drawn.
        column: its geometry column.
        classes: names and colours.
        attribute: the column that holds the names.
    """
    styles = (
        ("classes", class_style(classes, attribute), 1, "each class in its colour"),
        ("confidence", confidence_style(), 0, "from red (unsure) to green (sure)"),
    )
    base = sqlite3.connect(package)
    try:
        with base:
            base.execute(_STYLES_TABLE)
            base.execute(_REGISTER)
            for name, qml, default, description in styles:
                base.execute(_INSERT, (layer, column, name, qml, default, description))
    finally:
        base.close()


def _document(renderer: str) -> str:
    head = f'{_HEAD}<qgis version="3.22" styleCategories="Symbology">'
    return f"{head}{renderer}<layerOpacity>1</layerOpacity></qgis>\n"


def _symbols(colours: list[str]) -> str:
    return f"<symbols>{''.join(_symbol(i, colour) for i, colour in enumerate(colours))}</symbols>"


def _symbol(name: int, colour: str) -> str:
    """A light casing below a coloured line: visible on dark roofs and on bright ground."""
    casing = _layer(
        "SimpleLine",
        {"line_color": f"255,255,255,{CASING_ALPHA}", "line_width": "0.9", "joinstyle": "miter"},
    )
    fill = _layer(
        "SimpleFill",
        {
            "color": _rgba(colour, FILL_ALPHA),
            "style": "solid",
            "outline_color": _rgba(colour, 255),
            "outline_style": "solid",
            "outline_width": "0.46",
            "joinstyle": "miter",
        },
    )
    head = f'<symbol type="fill" name="{name}" alpha="1" clip_to_extent="1" force_rhr="0">'
    return f"{head}{casing}{fill}</symbol>"


def _layer(kind: str, options: dict[str, str]) -> str:
    units = {"line_width_unit": "MM", "outline_width_unit": "MM"}
    values = options | {k: v for k, v in units.items() if k[:-5] in options}
    rows = "".join(f'<Option type="QString" name="{k}" value="{v}"/>' for k, v in values.items())
    rest = f'<Option type="Map">{rows}</Option>'
    return f'<layer class="{kind}" enabled="1" locked="0" pass="0">{rest}</layer>'


def _rgba(colour: str, alpha: int) -> str:
    red, green, blue = bytes.fromhex(colour[1:])
    return f"{red},{green},{blue},{alpha}"
