"""Draw a scene, its mask and its polygons as QGIS shows them, without a window.

Runs in the Python that QGIS was installed for (``apt-get install --no-install-recommends qgis python3-qgis
qgis-providers``), not in geoseg's::

    QT_QPA_PLATFORM=offscreen /usr/bin/python3 docs/draw_qgis.py SCENE LAYER... -o PICTURE

Layers are drawn in the order given, the first at the bottom, each with the style that QGIS finds by itself:
``NAME.qml`` beside a file, ``layer_styles`` in a GeoPackage. What was loaded is told as JSON on stdout.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
os.environ["GDAL_PAM_ENABLED"] = "NO"  # looking at a scene leaves no statistics file beside it

from qgis.core import (
    QgsApplication,
    QgsMapRendererParallelJob,
    QgsMapSettings,
    QgsRasterLayer,
    QgsRectangle,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QSize
from qgis.PyQt.QtGui import QColor

VECTORS = (".gpkg", ".geojson", ".fgb", ".parquet")


def open_layer(path: Path) -> QgsRasterLayer | QgsVectorLayer:
    """A layer as if the file were dragged into QGIS."""
    kind = (
        QgsVectorLayer(str(path), path.stem, "ogr")
        if path.suffix in VECTORS
        else QgsRasterLayer(str(path), path.stem)
    )
    if not kind.isValid():
        sys.exit(f"QGIS cannot open {path}: {kind.error().message()}")
    return kind


def describe(layer: QgsRasterLayer | QgsVectorLayer) -> dict[str, object]:
    """What QGIS understood of a layer."""
    box = layer.extent()
    told = {
        "name": layer.name(),
        "crs": layer.crs().authid(),
        "extent": [box.xMinimum(), box.yMinimum(), box.xMaximum(), box.yMaximum()],
        "renderer": layer.renderer().type(),
    }
    if isinstance(layer, QgsVectorLayer):
        entries = [item.label() for item in layer.renderer().legendSymbolItems()]
        return told | {"features": layer.featureCount(), "legend": entries, "outlines": outlines(layer)}
    entries = [label for label, _ in layer.renderer().legendSymbologyItems()]
    return told | {"size": [layer.height(), layer.width()], "legend": entries}


def outlines(layer: QgsVectorLayer) -> dict[str, str]:
    """The colour of the line around each category of polygons."""
    if layer.renderer().type() != "categorizedSymbol":
        return {}
    found = {}
    for category in layer.renderer().categories():
        found[category.value()] = category.symbol().symbolLayers()[-1].strokeColor().name()
    return found


def draw(layers: list[object], picture: Path, size: tuple[int, int], box: QgsRectangle) -> None:
    """Render layers, the first at the bottom."""
    settings = QgsMapSettings()
    settings.setLayers(list(reversed(layers)))
    settings.setDestinationCrs(layers[0].crs())
    settings.setExtent(box)
    settings.setOutputSize(QSize(*size))
    settings.setOutputDpi(96)
    settings.setBackgroundColor(QColor("white"))
    settings.setFlag(QgsMapSettings.Antialiasing, True)
    job = QgsMapRendererParallelJob(settings)
    job.start()
    job.waitForFinished()
    if job.errors() or not job.renderedImage().save(str(picture)):
        sys.exit(f"{picture}: not drawn: {[error.message for error in job.errors()]}")
    del job, settings


def middle(layer: object, size: tuple[int, int], zoom: float) -> QgsRectangle:
    """The middle of a layer in the picture's proportions; with ``zoom`` 2 half as wide."""
    extent = layer.extent()
    width = extent.width() / zoom
    height = width * size[1] / size[0]
    centre = extent.center()
    return QgsRectangle(
        centre.x() - width / 2, centre.y() - height / 2, centre.x() + width / 2, centre.y() + height / 2
    )


def main() -> None:
    """Parse, draw, tell."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("layers", nargs="+", type=Path, metavar="LAYER")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--size", default="1400x900", help="WIDTHxHEIGHT in pixels")
    parser.add_argument("--zoom", type=float, default=1.0, help="show the middle: half of the width with 2")
    parser.add_argument("--box", help="xmin,ymin,xmax,ymax in the first layer's CRS")
    values = parser.parse_args()
    width, height = (int(part) for part in values.size.split("x"))
    QgsApplication.setPrefixPath("/usr", True)
    application = QgsApplication([], False)
    application.initQgis()
    layers = [open_layer(path) for path in values.layers]
    box = (
        QgsRectangle(*(float(part) for part in values.box.split(",")))
        if values.box
        else middle(layers[0], (width, height), values.zoom)
    )
    draw(layers, values.output, (width, height), box)
    sys.stdout.write(json.dumps([describe(layer) for layer in layers]) + "\n")
    del layers  # before QGIS ends, or it crashes
    application.exitQgis()


if __name__ == "__main__":
    main()
