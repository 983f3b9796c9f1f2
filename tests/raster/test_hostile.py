"""Law 10: opening is reading. Files that want more get nothing, and what they declare is checked first."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio

from geoseg.core import Window
from geoseg.errors import SceneError
from geoseg.raster import open_scene
from geoseg.raster.source import FileSource
from tests.conftest import ROOT
from tests.limits import HANGS_S
from tests.raster.canary import Canary, canary
from tests.raster.reading import write_raster

SECRET = 199
"""The value of the pixels of a file that nobody named."""


@pytest.fixture
def server() -> Iterator[Canary]:
    """A canary that is silent at the end."""
    with canary() as running:
        yield running
        assert [] == running.requests


def _plain(path: Path, value: int = 5, **profile: object) -> Path:
    return write_raster(path, np.full((3, 64, 64), value, np.uint8), **profile)


def _vrt(source: str, band: str = "", attributes: str = "") -> str:
    return (
        '<VRTDataset rasterXSize="64" rasterYSize="64">'
        f'<VRTRasterBand dataType="Byte" band="1" {band}>{source}<SimpleSource>'
        f"<SourceFilename {attributes}>{{name}}</SourceFilename><SourceBand>1</SourceBand>"
        '<SrcRect xOff="0" yOff="0" xSize="64" ySize="64"/><DstRect xOff="0" yOff="0" xSize="64" ySize="64"/>'
        "</SimpleSource></VRTRasterBand></VRTDataset>"
    )


def _hostile_texts(url: str, secret: Path) -> dict[str, str]:
    mosaic = _vrt("")
    raw = f"<SourceFilename>{secret}</SourceFilename><ImageOffset>0</ImageOffset>"
    python = "<PixelFunctionType>f</PixelFunctionType><PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    warped = 'subClass="VRTWarpedDataset"'
    stac = f'{{"type": "Feature", "stac_version": "1.0.0", "assets": {{"a": {{"href": "{url}/a.tif"}}}}}}'
    service = (
        f'<GDAL_WMS><Service name="TMS"><ServerUrl>{url}/${{z}}/${{x}}/${{y}}.png</ServerUrl></Service>'
        "<DataWindow><UpperLeftX>0</UpperLeftX><UpperLeftY>1</UpperLeftY><LowerRightX>1</LowerRightX>"
        "<LowerRightY>0</LowerRightY><SizeX>64</SizeX><SizeY>64</SizeY><TileLevel>0</TileLevel></DataWindow>"
        "<BlockSizeX>64</BlockSizeX><BlockSizeY>64</BlockSizeY><BandsCount>3</BandsCount></GDAL_WMS>"
    )
    return {
        "http.vrt": mosaic.format(name=f"{url}/a.tif"),
        "curl.vrt": mosaic.format(name=f"/vsicurl/{url}/a.tif"),
        "streaming.vrt": mosaic.format(name=f"/vsicurl_streaming/{url}/a.tif"),
        "zip.vrt": mosaic.format(name=f"/vsizip//vsicurl/{url}/a.zip/a.tif"),
        "wms.vrt": mosaic.format(name=service.replace("<", "&lt;")),
        "subdataset.vrt": mosaic.format(name=f"GTIFF_DIR:1:/vsicurl/{url}/a.tif"),
        "inline.vrt": mosaic.format(name=mosaic.format(name=f"{url}/a.tif").replace("<", "&lt;")),
        "raw.vrt": _vrt(raw, 'subClass="VRTRawRasterBand"').format(name=secret),
        "python.vrt": _vrt(python, 'subClass="VRTDerivedRasterBand"').format(name=secret),
        "warped.vrt": mosaic.format(name=secret).replace("<VRTDataset", f"<VRTDataset {warped}"),
        "entities.vrt": '<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>' + mosaic.format(name="&b;"),
        "text.vrt": mosaic.format(name="/etc/passwd"),
        "itself.vrt": _vrt("", attributes='relativeToVRT="1"').format(name="itself.vrt"),
        "service.xml": service,
        "service.tif": service,
        "tiles.tif": f"<Capabilities><ServiceMetadataURL href='{url}/w'/></Capabilities>",
        "coverage.xml": f"<WCS_GDAL><ServiceURL>{url}/wcs?</ServiceURL></WCS_GDAL>",
        "overlay.kml": f"<kml><GroundOverlay><Icon><href>{url}/a.png</href></Icon></GroundOverlay></kml>",
        "mrf.mrf": f"<MRF_META><CachedSource><Source>{url}/a.tif</Source></CachedSource></MRF_META>",
        "item.json": stac,
        "hidden.tif": mosaic.format(name=f"{url}/a.tif"),
        "hidden.png": mosaic.format(name=secret),
    }


def _hostile_siblings(folder: Path, url: str, secret: Path) -> list[Path]:
    """Plain rasters beside files that would like to be asked."""
    mosaic = _vrt("").format(name=f"/vsicurl/{url}/a.tif")
    scenes = []
    for suffix in (".ovr", ".msk", ".aux.xml", ".msk.ovr"):
        scene = _plain(folder / f"beside{suffix}.tif")
        scene.with_name(scene.name + suffix).write_text(mosaic)
        scenes.append(scene)
    scene = _plain(folder / "aux.tif")
    domain = f'<Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">/vsicurl/{url}/o.tif</MDI></Metadata>'
    scene.with_name("aux.tif.aux.xml").write_text(f"<PAMDataset>{domain}</PAMDataset>")
    scenes.append(scene)
    for index, name in enumerate((f"/vsicurl/{url}/o.tif", str(secret))):
        scene = _plain(folder / f"overviews{index}.tif")
        with rasterio.open(scene, "r+") as file:
            file.update_tags(ns="OVERVIEWS", OVERVIEW_FILE=name)
        scenes.append(scene)
    return scenes


def _hostile_files(folder: Path, url: str) -> list[Path]:
    secret = _plain(folder / "secret" / "s.tif", SECRET) if (folder / "secret").mkdir() is None else folder
    paths = []
    for name, text in _hostile_texts(url, secret).items():
        (folder / name).write_text(text)
        paths.append(folder / name)
    return paths + _hostile_siblings(folder, url, secret)


def _fresh_environment() -> dict[str, str]:
    """Without what a command of geoseg that another test has called here has set."""
    ours = ("GDAL_SKIP", "OGR_SKIP", "GDAL_CACHEMAX")
    return {key: value for key, value in os.environ.items() if key not in ours}


def _open_all(paths: list[Path], *options: str) -> dict[str, tuple[str, str]]:
    script = [sys.executable, "-m", "tests.raster.open_all", *options, *map(str, paths)]
    done = subprocess.run(
        script,
        check=False,
        capture_output=True,
        text=True,
        timeout=HANGS_S,
        cwd=ROOT,
        env=_fresh_environment(),
    )
    assert 0 == done.returncode, done.stderr
    assert "" == done.stderr, "GDAL talks to the terminal"
    answers = (line.split("\t", 2) for line in done.stdout.splitlines())
    return {name: (kind, detail) for name, kind, detail in answers}


def _host(folder: Path) -> Path:
    """A harmless VRT that a program opens itself."""
    plain = _plain(folder / "plain.tif")
    place = "<SRS>EPSG:32628</SRS><GeoTransform>4e5, 0.5, 0, 3e6, 0, -0.5</GeoTransform>"
    path = folder / "plain.vrt"
    path.write_text(_vrt("").format(name=plain).replace("<VRTRasterBand", f"{place}<VRTRasterBand", 1))
    return path


@pytest.mark.parametrize("world", ["own process", "library", "host of rasters"])
def test_nothing_hostile_reaches_out(tmp_path: Path, server: Canary, world: str) -> None:
    """No request, no pixel of a file that was not named, whatever drivers are registered."""
    (tmp_path / "files").mkdir()
    paths = _hostile_files(tmp_path / "files", server.url)
    host = ("--host", str(_host(tmp_path)))
    options = {"own process": ("--own",), "library": (), "host of rasters": host}
    answers = _open_all(paths, *options[world])
    assert {path.name for path in paths} == set(answers)
    assert {"ok", "refused"} >= {kind for kind, _ in answers.values()}, answers
    assert not any(str(SECRET) in detail for kind, detail in answers.values() if kind == "ok")
    told = {name for name, (kind, _) in answers.items() if kind == "ok"}
    assert {"beside.ovr.tif", "beside.aux.xml.tif", "beside.msk.ovr.tif", "aux.tif"} == told


def test_the_canary_is_heard(tmp_path: Path) -> None:
    """Plain rasterio, with its defaults, does ask: the files are as hostile as they claim."""
    code = (
        "import sys, rasterio\n"
        "for name in sys.argv[1:]:\n"
        "    try:\n"
        "        with rasterio.open(name) as file:\n"
        "            file.read(1, out_shape=(8, 8)); file.dataset_mask()\n"
        "    except Exception: pass\n"
    )
    with canary() as server:
        names = ["http.vrt", "service.tif", "hidden.tif", "overviews0.tif"]
        _hostile_files(tmp_path, server.url)
        for name in names:
            before = len(server.requests)
            script = [sys.executable, "-c", code, str(tmp_path / name)]
            subprocess.run(script, check=True, capture_output=True, timeout=HANGS_S, env=_fresh_environment())
            assert len(server.requests) > before, name


def test_a_mosaic_that_the_user_named(tmp_path: Path) -> None:
    """Two files and a gap; what lies in the gap has no data; later files lie above earlier ones."""
    _plain(tmp_path / "a.tif", 10)
    _plain(tmp_path / "b.tif", 20, nodata=20)
    sources = "".join(
        f'<ComplexSource><SourceFilename relativeToVRT="1">{name}</SourceFilename>'
        f'<SourceBand>{{band}}</SourceBand><SrcRect xOff="0" yOff="0" xSize="64" ySize="64"/>'
        f'<DstRect xOff="{left}" yOff="0" xSize="64" ySize="64"/>'
        f"<NODATA>77</NODATA></ComplexSource>"
        for name, left in (("a.tif", 0), ("a.tif", 100), ("b.tif", 32))
    )
    bands = "".join(
        f'<VRTRasterBand dataType="Byte" band="{i}"><ColorInterp>{c}</ColorInterp>{sources.format(band=i)}'
        "</VRTRasterBand>"
        for i, c in enumerate(("Red", "Green", "Blue"), start=1)
    )
    text = (
        '<VRTDataset rasterXSize="170" rasterYSize="64"><SRS>EPSG:32628</SRS>'
        f"<GeoTransform>4e5, 0.5, 0, 3e6, 0, -0.5</GeoTransform>{bands}</VRTDataset>"
    )
    (tmp_path / "m.vrt").write_text(text)
    with open_scene(tmp_path / "m.vrt") as scene:
        pixels, valid = scene.read(Window(0, 0, 64, 170))
        assert ["red", "green", "blue"] == [b.colour for b in scene.info.bands]
        assert scene.info.gsd_m == pytest.approx((0.5, 0.5), rel=2e-3)
    expected = np.zeros(170, bool)
    expected[:64] = expected[100:164] = True
    np.testing.assert_array_equal(np.broadcast_to(expected, (64, 170)), valid)
    assert {10} == set(pixels[:, valid].ravel().tolist())


@pytest.mark.parametrize("dtype", ["uint16", "float32", "int8"])
def test_a_mosaic_of_another_type_than_its_files_is_refused(tmp_path: Path, dtype: str) -> None:
    """300 in a band of bytes would become 44."""
    write_raster(tmp_path / "a.tif", np.full((1, 64, 64), 100, dtype))
    (tmp_path / "m.vrt").write_text(_vrt("").format(name=tmp_path / "a.tif"))
    with pytest.raises(SceneError, match=dtype):
        open_scene(tmp_path / "m.vrt")


def test_a_mosaic_that_is_refused_leaves_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The files before the one that does not fit were open already."""
    closed = []
    close = FileSource.close
    monkeypatch.setattr(FileSource, "close", lambda self: (closed.append(self.path.name), close(self)))
    write_raster(tmp_path / "a.tif", np.full((1, 64, 64), 1, np.uint16))
    (tmp_path / "m.vrt").write_text(_vrt("").format(name=tmp_path / "a.tif"))
    with pytest.raises(SceneError):
        open_scene(tmp_path / "m.vrt")
    assert ["a.tif"] == closed


def _bomb(path: Path, width: int, height: int, tile: int) -> Path:
    """A TIFF of a few bytes that declares one sparse plane of tiles."""
    blocks = -(-width // tile) * -(-height // tile)
    entries = [(256, 4, width), (257, 4, height), (258, 3, 8), (259, 3, 8), (262, 3, 1), (277, 3, 1)]
    entries += [(322, 4, tile), (323, 4, tile)]
    tags = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
    end = 8 + 2 + 12 * (len(entries) + 2) + 4
    tags += struct.pack("<HHII", 324, 4, blocks, end) + struct.pack("<HHII", 325, 4, blocks, end)
    path.write_bytes(b"II*\0" + struct.pack("<IH", 8, len(entries) + 2) + tags + bytes(4) + bytes(64))
    return path


@pytest.mark.parametrize(
    ("width", "height", "tile"), [(2_000_000, 2_000_000, 16384), (60_000, 60_000, 256), (65536, 65536, 65536)]
)
def test_sizes_before_pixels(tmp_path: Path, width: int, height: int, tile: int) -> None:
    """Declared sizes that the file cannot hold, or memory could not, are refused at once."""
    with pytest.raises(SceneError):
        open_scene(_bomb(tmp_path / "s.tif", width, height, tile))


def test_every_file_of_the_zoo(data_dir: Path) -> None:
    """A right result or one clear line, within limits of memory and time, and no word from GDAL."""
    paths = sorted((data_dir / "zoo").iterdir())
    answers = _open_all(paths)
    assert {path.name for path in paths} == set(answers)
    assert {"ok", "refused"} == {kind for kind, _ in answers.values()}, answers
    refused = {name for name, (kind, _) in answers.items() if kind == "refused"}
    observed = [line.split("\t") for line in (data_dir / "zoo" / "OBSERVED.tsv").read_text().splitlines()]
    reads = {name for name, what, *_ in observed if what == "reads"}
    never = {"cfloat32.tif", "cint16.tif", "byte_with_neg_fillvalue_and_unsigned_hint.nc", "unicode.nc"}
    assert never == refused & reads
    assert all("\n" not in detail for _, detail in answers.values())
