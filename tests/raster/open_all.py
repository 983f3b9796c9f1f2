"""Opens and reads each file named, in a process of its own; run by tests with a memory and time limit.

A line each: ``name``, tab, ``ok``, ``refused`` or the type of an exception that should not have come, tab,
details. ``--own`` sets the process up as the command line does; ``--host VRT`` opens one, and warps it,
through rasterio before geoseg, as a notebook may.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

LIMIT = 4 << 30


def main(names: list[str]) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT))
    if names[0] == "--own":
        from geoseg.runtime import process

        process.set_up()
        names = names[1:]
    elif names[0] == "--host":
        use_rasterio(names[1])
        names = names[2:]
    from geoseg.core import Window
    from geoseg.errors import SceneError
    from geoseg.raster import measure_stretch, open_scene, read_rows, sample_values
    from tests.raster.reading import plan_for

    for name in names:
        try:
            with open_scene(name) as scene:
                bands = tuple(b.index for b in scene.info.bands[:3])
                plan = plan_for(scene, (64, 64), (16, 16), bands)
                rows = sum(block.pixels.shape[1] for block in read_rows(scene, plan))
                assert rows == scene.info.grid.height
                sample_values(scene, bands)
                measure_stretch(scene, bands, (2.0, 98.0))
                pixels, valid = scene.read(Window(0, 0, 1, 1))
                detail = f"{rows} {pixels[:, 0, 0].tolist()} {bool(valid[0, 0])}"
            answer = f"ok\t{detail}"
        except SceneError as error:
            answer = f"refused\t{error}"
        except BaseException as error:  # noqa: BLE001 - that is what is looked for
            answer = f"{type(error).__name__}\t{error}"
        print(f"{Path(name).name}\t{answer}", flush=True)


def use_rasterio(path: str) -> None:
    """Open a VRT and warp it, as a program may before it imports geoseg."""
    import rasterio
    from rasterio.vrt import WarpedVRT

    with rasterio.open(path) as mosaic, WarpedVRT(mosaic, crs="EPSG:4326") as warped:
        mosaic.read()
        warped.read()


if __name__ == "__main__":
    main(sys.argv[1:])
