"""Names that are no local files: what they are, and the command that fetches them.

geoseg opens files on this machine and nothing else. Addresses, names inside archives, the notation of GDAL's
drivers and a ``~`` that no shell has replaced are refused with what to type instead; nothing is fetched.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

Problem = tuple[str, str]
"""What is wrong, and the remedy."""

_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+")
_DRIVER = re.compile(r"[A-Z][A-Z0-9_]+:")
RASTERS = ("", ".tif", ".tiff", ".jp2", ".png", ".jpg", ".jpeg", ".img", ".vrt")
UNPACK = {
    ".zip": "unzip",
    ".tar.gz": "tar -xf",
    ".tgz": "tar -xf",
    ".tar.bz2": "tar -xf",
    ".tar.xz": "tar -xf",
    ".tar": "tar -xf",
    ".gz": "gunzip -k",
    ".7z": "7z x",
    ".rar": "unrar x",
}
"""Suffixes of archives, the longer ones first, and what unpacks them."""
CLOUDS = {
    "s3": "aws s3 cp {url} .",
    "gs": "gcloud storage cp {url} .",
    "az": "az storage blob download --account-name ACCOUNT -c {host} -n {key} -f {name}",
    "sftp": "scp {server} .",
    "scp": "scp {server} .",
    "ssh": "scp {server} .",
}
"""How to copy a file that a store or server holds."""
COPIES = {"s3": "aws s3 cp --recursive", "gs": "gcloud storage cp -r"}
"""How to copy a folder of theirs."""
ALIASES = {"s3a": "s3", "s3n": "s3", "gcs": "gs", "azure": "az", "abfs": "az", "abfss": "az", "adl": "az"}


def not_local(name: str | Path) -> Problem | None:
    """Say why a name is no plain local file, and how to get one; None where nothing about it says so.

    Args:
        name: as the user typed it. ``pathlib`` turns ``https://`` into ``https:/``, which is undone.
    """
    text = str(name)
    if text.startswith("/vsi"):
        return _elsewhere(text, f"{text}: names a file by a file system of GDAL", _virtual(text))
    if _exists(text):
        return _in_archive(text)
    if address := _ADDRESS.match(text):
        return _address(address[1].lower(), text[address.end() :])
    if text.startswith("~"):
        return _home(text)
    if _DRIVER.match(text):
        command = f"gdal_translate {shlex.quote(text)} scene.tif"
        return _elsewhere(text, f"{text}: no such file; it reads like a name for a driver of GDAL", command)
    return _in_archive(text)


def folder_not_local(name: str | Path) -> Problem | None:
    """Say why a name is no local folder; as :func:`not_local`."""
    problem = not_local(name)
    if problem is None or not _ADDRESS.match(str(name)):
        return problem
    return problem[0], "copy the folder to this machine, and name the copy"


def target_not_local(name: str | Path) -> Problem | None:
    """Say why results cannot be written to a name; None where nothing about it says so."""
    text = str(name)
    if text.startswith("/vsi"):
        return f"{text}: geoseg writes plain files only", "name a file or folder on this machine"
    if _exists(text):
        return None
    if address := _ADDRESS.match(text):
        url = f"{address[1]}://{text[address.end() :]}"
        return (
            f"{url}: geoseg writes to this machine only",
            "write here, and copy the results there afterwards",
        )
    return _home(text) if text.startswith("~") else None


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except (OSError, ValueError):  # longer than a name may be, or with a null byte
        return False


def _elsewhere(text: str, what: str, command: str) -> Problem:
    return f"{what}; geoseg opens plain local files only", f"make one first: {command}"


def _address(scheme: str, rest: str) -> Problem:
    url = f"{scheme}://{rest}"
    if scheme == "file":
        return f"file:///{rest}: is an address", f"name the file itself: {shlex.quote('/' + unquote(rest))}"
    name = PurePosixPath(unquote(urlsplit(url).path)).name
    if not name or not set("*?[").isdisjoint(name):
        name = "scene.tif"
    what = f"{url}: is an address; geoseg opens local files only"
    known = ALIASES.get(scheme, scheme)
    return what, f"fetch it first: {_fetch(f'{known}://{rest}', known, name)}"


def _fetch(url: str, scheme: str, name: str) -> str:
    """The command that brings what an address names into the current folder."""
    parts = urlsplit(url)
    host, key = parts.netloc, unquote(parts.path).lstrip("/")
    if not Path(name).suffix and scheme in COPIES:
        return f"{COPIES[scheme]} {shlex.quote(url)} {shlex.quote(name)}"
    if scheme in CLOUDS:
        words = {"url": url, "host": host, "key": key, "name": name, "server": f"{host}:/{key}"}
        return CLOUDS[scheme].format(**{word: shlex.quote(text) for word, text in words.items()})
    if scheme in ("http", "https", "ftp") and Path(name).suffix.lower() in RASTERS:
        target = name if Path(name).suffix.lower() in (".tif", ".tiff") else f"{Path(name).stem}.tif"
        return f"gdal_translate {shlex.quote('/vsicurl/' + url)} {shlex.quote(target)}"
    unpack = _unpack(name)
    return f"curl -L -o {shlex.quote(name)} {shlex.quote(url)}" + (f" && {unpack}" if unpack else "")


def _virtual(text: str) -> str:
    """The command that makes a file of one that GDAL's file systems name."""
    archive = re.match(r"/vsi(?:zip|tar|gzip|7z|rar)/(?!/?vsi)(.+)", text.translate({123: None, 125: None}))
    if archive:
        inside = next(_archives(archive[1]), archive[1])
        return _unpack(inside) or f"unzip {shlex.quote(inside)}"
    name = PurePosixPath(urlsplit(text).path).name
    if Path(name).suffix.lower() not in RASTERS:
        return f"ogr2ogr {shlex.quote(Path(name).stem + '.gpkg')} {shlex.quote(text)}"
    return f"gdal_translate {shlex.quote(text)} {shlex.quote((Path(name).stem or 'scene') + '.tif')}"


def _home(text: str) -> Problem:
    return (
        f"{text}: the shell replaces ~ only outside of quotes and at the beginning of a word",
        f"write {_expanded(text)}",
    )


def _expanded(text: str) -> str:
    try:
        return shlex.quote(str(Path(text).expanduser()))
    except RuntimeError:  # a user who does not exist
        return "the whole path"


def _in_archive(text: str) -> Problem | None:
    archive = next(_archives(text), None)
    if archive is None:
        return None
    what = "is an archive" if archive == text else f"is a name inside of the archive {archive}"
    return f"{text}: {what}; geoseg opens plain files only", f"unpack it first: {_unpack(archive)}"


def _archives(text: str) -> Iterator[str]:
    """Beginnings of a path that are named like archives and are no folders."""
    path = Path(text)
    for part in (*reversed(path.parents), path):
        if _unpack(part.name) and not part.is_dir():
            yield str(part)


def _unpack(name: str) -> str | None:
    found = next((how for suffix, how in UNPACK.items() if name.lower().endswith(suffix)), None)
    return found and f"{found} {shlex.quote(name)}"
