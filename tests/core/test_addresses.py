"""Names that are no local files: each gets the command that fetches it."""

from __future__ import annotations

from pathlib import Path

import pytest

from geoseg.core.addresses import folder_not_local, not_local, target_not_local


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("https://a.org/x.tif", "fetch it first: gdal_translate /vsicurl/https://a.org/x.tif x.tif"),
        ("HTTPS://a.org/x.jp2", "fetch it first: gdal_translate /vsicurl/https://a.org/x.jp2 x.tif"),
        (
            "https://a.org/x.tif?k=1&s=2",
            "fetch it first: gdal_translate '/vsicurl/https://a.org/x.tif?k=1&s=2' x.tif",
        ),
        (
            "https://a.org/tiles/*.tif",
            "fetch it first: gdal_translate '/vsicurl/https://a.org/tiles/*.tif' scene.tif",
        ),
        ("http://a.org/aoi.geojson", "fetch it first: curl -L -o aoi.geojson http://a.org/aoi.geojson"),
        ("ftp://a.org/x.zip", "fetch it first: curl -L -o x.zip ftp://a.org/x.zip && unzip x.zip"),
        ("s3://bucket/a/x.tif", "fetch it first: aws s3 cp s3://bucket/a/x.tif ."),
        ("s3a://bucket/a/x.tif", "fetch it first: aws s3 cp s3://bucket/a/x.tif ."),
        ("s3://bucket/a", "fetch it first: aws s3 cp --recursive s3://bucket/a a"),
        ("gs://bucket/x.tif", "fetch it first: gcloud storage cp gs://bucket/x.tif ."),
        (
            "az://box/a/x.tif",
            "fetch it first: az storage blob download --account-name ACCOUNT -c box -n a/x.tif -f x.tif",
        ),
        ("file:///data/x%20y.tif", "name the file itself: '/data/x y.tif'"),
        ("/vsicurl/https://a.org/x.tif", "make one first: gdal_translate /vsicurl/https://a.org/x.tif x.tif"),
        ("/vsis3/bucket/x.gpkg", "make one first: ogr2ogr x.gpkg /vsis3/bucket/x.gpkg"),
        ("/vsizip/a.zip/x.tif", "make one first: unzip a.zip"),
        ("/vsizip/{/d/a.zip}/x.tif", "make one first: unzip /d/a.zip"),
        ("/vsitar/a.tar.gz/x.tif", "make one first: tar -xf a.tar.gz"),
        ("NETCDF:a.nc:red", "make one first: gdal_translate NETCDF:a.nc:red scene.tif"),
        ("a.zip", "unpack it first: unzip a.zip"),
        ("a b.tar.gz/x.tif", "unpack it first: tar -xf 'a b.tar.gz'"),
        ("a.7z", "unpack it first: 7z x a.7z"),
        ("~/x y.tif", "write '/home/mia/x y.tif'"),
    ],
)
def test_every_name_gets_its_command(name: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What has to be typed instead is one command that works as it stands."""
    monkeypatch.setenv("HOME", "/home/mia")
    problem = not_local(name)
    assert problem is not None
    assert problem[1] == remedy


def test_an_address_is_shown_as_it_was_typed() -> None:
    """Also where ``pathlib`` has made one slash of two."""
    what, _ = not_local(Path("https://a.org/x.tif")) or ("", "")
    assert what == "https://a.org/x.tif: is an address; geoseg opens local files only"


@pytest.mark.parametrize(
    "name", ["x.tif", "a.b/x.tif", "x:y.tif", "C:/x.tif", "été.tif", "x~.tif", "a\0b", "9" * 300]
)
def test_file_names_are_no_addresses(name: str) -> None:
    """Whether such a file exists is told by whoever opens it."""
    assert not_local(name) is None
    assert target_not_local(name) is None


@pytest.mark.parametrize("name", ["~", "AB:c", "x.zip", "https:"])
def test_folders_of_any_name_are_found(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder or file that is there under such a name is meant."""
    monkeypatch.chdir(tmp_path)
    Path(name).mkdir()
    Path(name, "x.tif").touch()
    assert not_local(f"{name}/x.tif") is None


def test_results_are_written_here() -> None:
    """A folder called ``s3:`` is not what anybody means."""
    assert target_not_local("s3://bucket/out") == (
        "s3://bucket/out: geoseg writes to this machine only",
        "write here, and copy the results there afterwards",
    )
    assert target_not_local("out.zip") is None


def test_a_bundle_is_a_folder() -> None:
    """No raster tool fetches it."""
    assert folder_not_local("https://hub.org/me/model") == (
        "https://hub.org/me/model: is an address; geoseg opens local files only",
        "copy the folder to this machine, and name the copy",
    )
