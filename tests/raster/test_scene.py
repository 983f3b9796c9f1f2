"""What a scene's header says: place, sampling distance, names, dates, identity."""

from __future__ import annotations

import math
import multiprocessing
import os
import pickle
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image
from pyproj import Geod
from rasterio.control import GroundControlPoint
from rasterio.crs import CRS
from rasterio.transform import Affine

from geoseg.core import UNPLACED, GeoGrid, Window
from geoseg.errors import SceneError
from geoseg.raster import Scene, measure_stretch, open_scene, sample_values
from geoseg.raster.georef import ground_distance, parse_world_file
from tests.raster.reading import write_mosaic, write_raster

PIXELS = np.random.default_rng(0).integers(1, 255, (3, 40, 60)).astype(np.uint8)


def test_the_grid_is_the_files_to_the_last_digit(tmp_path: Path) -> None:
    """Rotated, south-up, anything: six floats and the CRS come back exactly."""
    transform = Affine(0.1 / 3, 0.02 / 7, 123456.789, 0.03 / 11, 0.1 / 3, 7654321.123)
    path = write_raster(tmp_path / "s.tif", PIXELS, transform=transform, crs="EPSG:2056")
    with open_scene(path) as scene:
        grid = scene.info.grid
    with rasterio.open(path) as file:
        assert tuple(file.transform)[:6] == grid.transform
        assert file.crs == CRS.from_wkt(grid.crs)
    assert (40, 60) == grid.size


def test_names_dates_and_colours(tmp_path: Path) -> None:
    """Descriptions are band names; TIFF's own date format becomes ISO 8601."""
    path = write_raster(tmp_path / "s.tif", PIXELS, photometric="rgb", nodata=7)
    with rasterio.open(path, "r+") as file:
        file.descriptions = ("B4", "B3", "B2")
        file.update_tags(TIFFTAG_DATETIME="2024:05:01 10:30:59")
    with open_scene(path) as scene:
        info = scene.info
    assert ["B4", "B3", "B2"] == [b.name for b in info.bands]
    assert ["red", "green", "blue"] == [b.colour for b in info.bands]
    assert ("s", "uint8", 7.0, "2024-05-01T10:30:59") == (info.name, info.dtype, info.nodata, info.acquired)


@pytest.mark.parametrize(
    ("crs", "transform", "expected"),
    [
        # the scale of these projections at these places is known in closed form
        ("EPSG:3857", (1.0, 0.0, 0.0, 0.0, -1.0, 8399737.9), (0.5, 0.5)),  # 60 degrees north: cos = 1/2
        ("EPSG:32628", (0.5, 0.0, 500000.0, 0.0, -0.5, 3e6), (0.5 / 0.9996, 0.5 / 0.9996)),
        ("EPSG:32628", (0.3, 0.4, 500000.0, 0.4, -0.3, 3e6), (0.5 / 0.9996, 0.5 / 0.9996)),
        ("EPSG:4326", (1e-5, 0.0, 8.0, 0.0, -1e-5, 0.0), (1.10574, 1.11320)),  # at the equator
        ("EPSG:2263", (1.0, 0.0, 984250.0, 0.0, -1.0, 200000.0), (0.3048, 0.3048)),  # US survey feet
    ],
)
def test_ground_distance(crs: str, transform: tuple[float, ...], expected: tuple[float, float]) -> None:
    """Metres on the ground in any CRS; the sphere of 3857 differs from the ellipsoid by half a percent."""
    got = ground_distance(GeoGrid(2, 2, transform, CRS.from_string(crs).to_wkt()))  # type: ignore[arg-type]
    assert got is not None
    assert got == pytest.approx(expected, rel=0.006 if crs == "EPSG:3857" else 1e-4)


def test_ground_distance_is_geodesic() -> None:
    """Against the geodesic between the pixels' centres."""
    grid = GeoGrid(3, 3, (2e-6, 0.0, 85.5, 0.0, -1e-6, 27.6), CRS.from_epsg(4326).to_wkt())
    x, y = grid.xy(1.5, 1.5)
    geod = Geod(ellps="WGS84")
    expected = geod.inv(x, y - 5e-7, x, y + 5e-7)[2], geod.inv(x - 1e-6, y, x + 1e-6, y)[2]
    assert ground_distance(grid) == pytest.approx(expected, rel=1e-6)


def test_without_crs_there_are_no_metres(tmp_path: Path) -> None:
    """A plain picture works; its pixels have no size."""
    path = write_raster(tmp_path / "s.tif", PIXELS, crs=None, transform=Affine.identity())
    with open_scene(path) as scene:
        assert (None, UNPLACED, None) == (scene.info.gsd_m, scene.info.grid.transform, scene.info.grid.crs)


@pytest.mark.parametrize("name", ["s.tfw", "s.TFW", "s.tifw", "s.wld"])
def test_world_files(tmp_path: Path, name: str) -> None:
    """They hold the centre of the first pixel; they count only where the file says nothing itself."""
    path = write_raster(tmp_path / "s.tif", PIXELS, crs=None, transform=Affine.identity())
    (tmp_path / name).write_text("0.5\n0.1\n0.2\n-0.5\n1000.25\n2000.75\n")
    with open_scene(path) as scene:
        expected = (0.5, 0.2, 1000.25 - 0.25 - 0.1, 0.1, -0.5, 2000.75 - 0.05 + 0.25)
        assert expected == scene.info.grid.transform
    write_raster(path, PIXELS)
    with open_scene(path) as scene:
        assert 400_000.0 == scene.info.grid.transform[2]


@pytest.mark.parametrize(
    "text", [b"", b"1 2 3", b"a b c d e f", b"0 0 0 0 0 0", b"1 0 0 nan 0 0", b"\xff\xfe1"]
)
def test_broken_world_files_are_ignored(tmp_path: Path, text: bytes) -> None:
    """And said to be."""
    assert parse_world_file(text) is None
    path = write_raster(tmp_path / "s.tif", PIXELS, crs=None, transform=Affine.identity())
    (tmp_path / "s.tfw").write_bytes(text)
    with open_scene(path) as scene:
        assert UNPLACED == scene.info.grid.transform
        assert "not a world file" in scene.warnings[0]


def test_control_points_are_told(tmp_path: Path) -> None:
    """A scene that lies by control points alone is read as a picture, with a warning."""
    points = [GroundControlPoint(r, c, c * 1.0, r * 1.0) for r, c in [(0, 0), (0, 50), (30, 0)]]
    path = write_raster(tmp_path / "s.tif", PIXELS, transform=None, crs=CRS.from_epsg(4326), gcps=points)
    with open_scene(path) as scene:
        assert UNPLACED == scene.info.grid.transform
        assert any("control points" in w for w in scene.warnings)


def _content_id(path: Path) -> str:
    with open_scene(path) as scene:
        return scene.content_id


def test_a_copy_has_the_content_id_of_its_scene(tmp_path: Path) -> None:
    """Neither the name of a file nor its times count."""
    path = write_raster(tmp_path / "s.tif", PIXELS)
    copy = tmp_path / "elsewhere" / "copy.tif"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    os.utime(copy, (1, 1))
    assert _content_id(path) == _content_id(copy)


def test_a_changed_file_has_another_content_id(tmp_path: Path) -> None:
    """One more byte, other values at the end, or another middle between ends that are alike."""
    pixels = np.zeros((1, 1000, 1000), np.uint8)
    found = [_content_id(write_raster(tmp_path / "s.tif", pixels))]
    pixels[0, -1, -1] = 1
    found.append(_content_id(write_raster(tmp_path / "end.tif", pixels)))
    pixels[0, 300:700], pixels[0, -1, -1] = 1, 0
    found.append(_content_id(write_raster(tmp_path / "middle.tif", pixels)))
    longer = tmp_path / "longer.tif"
    longer.write_bytes((tmp_path / "s.tif").read_bytes() + b"x")
    found.append(_content_id(longer))
    assert 4 == len(set(found))


def test_a_mosaic_is_known_by_its_sources(tmp_path: Path) -> None:
    """A folder that is copied has the same mosaic; one with another source has another."""
    ids = []
    for folder, value in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / folder).mkdir()
        write_raster(tmp_path / folder / "s.tif", np.full_like(PIXELS, value))
        area = 'xOff="0" yOff="0" xSize="60" ySize="40"'
        source = (
            '<VRTRasterBand dataType="Byte" band="1"><SimpleSource><SourceFilename relativeToVRT="1">s.tif'
            f"</SourceFilename><SourceBand>1</SourceBand><SrcRect {area}/><DstRect {area}/>"
            "</SimpleSource></VRTRasterBand>"
        )
        mosaic = tmp_path / folder / "m.vrt"
        mosaic.write_text(f'<VRTDataset rasterXSize="60" rasterYSize="40">{source}</VRTDataset>')
        ids.append(_content_id(mosaic))
    assert ids[0] == ids[1] != ids[2]


def test_the_content_id_knows_a_world_file(tmp_path: Path) -> None:
    """Another place is another scene."""
    path = write_raster(tmp_path / "s.tif", PIXELS, transform=None, crs=None)
    with open_scene(path) as scene:
        before = scene.content_id
    (tmp_path / "s.tfw").write_text("0.5\n0\n0\n-0.5\n1000\n2000\n")
    with open_scene(path) as scene:
        assert scene.content_id != before


def test_stretch_is_one_for_the_scene(tmp_path: Path) -> None:
    """Percentiles over valid pixels, close to those of all, and the same each time."""
    rng = np.random.default_rng(4)
    pixels = np.sort(rng.gamma(2.0, 300.0, 700 * 900)).reshape(1, 700, 900).astype(np.uint16) + 1
    pixels[0, :, 300:400] = 0
    path = write_raster(tmp_path / "s.tif", pixels, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    with open_scene(path) as scene:
        limits = measure_stretch(scene, (1,), (2.0, 98.0))
        assert limits == measure_stretch(scene, (1,), (2.0, 98.0))
        sample = sample_values(scene, (1,))
    assert limits[0] == pytest.approx(np.percentile(pixels[pixels > 0], (2, 98)), rel=0.15)
    assert 0 not in sample
    assert 1000 < sample.shape[1] <= 65536


def test_stretch_of_a_nearly_empty_scene(tmp_path: Path) -> None:
    """A lone pixel is found; nothing at all gives a harmless stretch."""
    pixels = np.zeros((1, 3000, 40), np.uint16)
    path = write_raster(tmp_path / "s.tif", pixels, nodata=0)
    with open_scene(path) as scene:
        assert ((0.0, 1.0),) == measure_stretch(scene, (1,), (2.0, 98.0))
    pixels[0, 1999, 3] = 77
    with open_scene(write_raster(path, pixels, nodata=0)) as scene:
        assert ((77.0, 77.0),) == measure_stretch(scene, (1,), (2.0, 98.0))


def test_banepa(data_dir: Path) -> None:
    """A real web-mercator scene: 0.149 m on the map, 0.132 m on the ground."""
    with open_scene(data_dir / "banepa" / "scene.tif") as scene:
        assert scene.info.mean_gsd_m == pytest.approx(0.132, abs=5e-4)
        assert not scene.warnings
        assert math.isclose(scene.info.grid.transform[0], 0.149, abs_tol=5e-4)


@pytest.mark.parametrize(
    "path", ["nowhere.tif", ".", "https://example.invalid/a.tif", "/vsicurl/x", "WMS:x", "zip://a"]
)
def test_what_is_no_local_file_is_one_line(path: str) -> None:
    """No request, no traceback."""
    with pytest.raises(SceneError):
        open_scene(path)


def _sum_of(scene: Scene) -> tuple[int, int]:
    """What a process that gets a scene reads of it: pixels, and how many are valid."""
    with scene:
        pixels, valid = scene.read(Window(0, 0, *scene.info.grid.size))
    return int(pixels.sum()), int(valid.sum())


@pytest.mark.parametrize("suffix", [".tif", ".VRT"])
def test_a_scene_goes_to_another_process_by_reference(tmp_path: Path, suffix: str) -> None:
    """A fresh process opens it again, collar and all; one that has changed meanwhile is refused."""
    pixels = PIXELS.copy()
    pixels[:, :, :20] = 0
    path = write_raster(tmp_path / "s.tif", pixels)
    if suffix == ".VRT":
        path = write_mosaic(tmp_path / "s.VRT", path)
    with open_scene(path) as scene:
        scene.leave_out_collar((1, 2, 3))
        assert len(pickle.dumps(scene)) < 20_000
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            assert pool.submit(_sum_of, scene).result() == (int(pixels.sum()), 40 * 40)
        sent = pickle.dumps(scene)
    write_raster(tmp_path / "s.tif", PIXELS)
    with pytest.raises(SceneError, match="holds something else"):
        pickle.loads(sent)


def test_a_tiff_that_viewers_turn_is_named(tmp_path: Path) -> None:
    """Its pixels are those that are stored; one that lies on the ground is no picture."""
    Image.fromarray(PIXELS.transpose(1, 2, 0)).save(tmp_path / "turned.tif", tiffinfo={274: 6})
    Image.fromarray(PIXELS.transpose(1, 2, 0)).save(tmp_path / "upright.tif", tiffinfo={274: 1})
    with open_scene(tmp_path / "turned.tif") as scene, open_scene(tmp_path / "upright.tif") as upright:
        assert scene.info.grid.size == (40, 60)
        assert any("has the orientation tag 6" in line for line in scene.warnings)
        assert not any("orientation" in line for line in upright.warnings)
