"""Strips or masks to polygons, and back to pixels.

Drivers that reach for other files or the network are not registered in pyogrio's GDAL: ``OGR_SKIP`` is set
here, before any module of this room imports pyogrio.
"""

import os

SKIPPED = "OGR_VRT,GDALG,WFS,OAPIF,OGCAPI,CSW,HTTP,Carto,AmigoCloud,Elasticsearch,EEDA,NGW,PLSCENES,ADBC"
"""Drivers that reach for other files or the network."""

os.environ["OGR_SKIP"] = ",".join([*filter(None, [os.environ.get("OGR_SKIP")]), SKIPPED])
