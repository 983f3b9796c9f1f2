"""QGIS styles of rasters."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from geoseg.core import ClassList

BACKGROUND_ALPHA = 0
OBJECT_ALPHA = 96
"""Objects let the imagery below shine through."""


def mask_style(classes: ClassList) -> str:
    """A QML document: each class by name in its colour, the background transparent.

    QGIS (3.0 and later) loads ``name.qml`` with ``name.tif`` by itself.
    """
    root = ET.Element(
        "qgis", version="3.22.0", styleCategories="AllStyleCategories", hasScaleBasedVisibilityFlag="0"
    )
    pipe = ET.SubElement(root, "pipe")
    renderer = ET.SubElement(
        pipe, "rasterrenderer", type="paletted", band="1", opacity="1", alphaBand="-1", nodataColor=""
    )
    palette = ET.SubElement(renderer, "colorPalette")
    for c in classes:
        alpha = BACKGROUND_ALPHA if c.id == 0 else OBJECT_ALPHA
        ET.SubElement(
            palette, "paletteEntry", value=str(c.id), color=c.colour.lower(), alpha=str(alpha), label=c.name
        )
    ET.SubElement(pipe, "brightnesscontrast", brightness="0", contrast="0", gamma="1")
    ET.SubElement(pipe, "huesaturation", saturation="0", colorizeOn="0", grayscaleMode="0")
    ET.SubElement(pipe, "rasterresampler", maxOversampling="2")
    ET.SubElement(root, "blendMode").text = "0"
    ET.indent(root)
    return (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n" + ET.tostring(root, "unicode") + "\n"
    )
