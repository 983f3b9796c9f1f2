"""Setting up a process that is geoseg's own: that of the command line, or of a worker.

Nothing here is called in a program that only uses geoseg. A script that has its process to itself may call
:func:`set_up` before it opens any raster or vector file.
"""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, TextIO

RASTER_DRIVERS = (
    *("VRT", "WMS", "WMTS", "WCS", "HTTP", "GTI", "STACIT", "STACTA", "MRF", "KMLSUPEROVERLAY"),
    *("EEDA", "EEDAI", "PLMOSAIC", "DAAS", "Zarr"),
)
VECTOR_DRIVERS = (
    *("OGR_VRT", "GDALG", "WFS", "OAPIF", "OGCAPI", "CSW", "Carto", "AmigoCloud", "Elasticsearch", "NGW"),
    *("PLSCENES", "ADBC"),
)
"""Drivers that reach for other files or the network. Those of both kinds stand with the rasters': GDAL
complains where it is told twice to leave one out."""
CACHE_MB = 16
"""Of GDAL's cache of decoded blocks, which are read once each; GDAL would take a twentieth of the memory."""


def set_up() -> None:
    """Leave out GDAL's drivers that reach for other files or the network, and bound its cache.

    GDAL looks at this when it is first used, so that a later call has no effect. Processes that are started
    from this one inherit it: they cannot open a VRT by GDAL either. Safe to call more than once.
    """
    _leave_out("GDAL_SKIP", RASTER_DRIVERS, " ")
    _leave_out("OGR_SKIP", VECTOR_DRIVERS, ",")
    os.environ["GDAL_CACHEMAX"] = str(CACHE_MB)


def _leave_out(variable: str, drivers: tuple[str, ...], separator: str) -> None:
    named = os.environ.get(variable, "").replace(",", separator).split(separator)
    os.environ[variable] = separator.join(dict.fromkeys([*filter(None, named), *drivers]))


def ignore_warnings() -> None:
    """Let libraries keep their remarks to themselves: what a user should know, geoseg prints itself."""
    warnings.simplefilter("ignore")


def obey_sigterm() -> None:
    """Let a polite kill clean up as Ctrl-C does; Windows knows only Ctrl-C."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if hasattr(signal, "SIGTERM") and os.name == "posix":
        signal.signal(signal.SIGTERM, stop)


@contextmanager
def own_words() -> Iterator[None]:
    """Let nobody but geoseg write to stderr.

    On a full disk libtiff and GDAL print lines of their own there, past Python and GDAL's error handlers.
    """
    before = sys.__stderr__
    if before is None or before is not sys.stderr:
        yield  # nobody listens, or a host program has put its own stream there
        return
    before.flush()
    terminal, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    with os.fdopen(terminal, "w", encoding=before.encoding, errors="backslashreplace", buffering=1) as mine:
        os.dup2(nowhere, 2)
        sys.stderr = mine
        try:
            yield
        finally:
            mine.flush()
            sys.stderr = before
            os.dup2(terminal, 2)
            os.close(nowhere)


class JsonLines(io.TextIOBase):
    """A stream that tells each line written to it as one of JSON: ``{"event": "message", "text": "..."}``.

    Lines that begin with ``warning:``, ``note:`` or ``geoseg:`` are events ``warning``, ``note``, ``error``.

    Args:
        stream: what the JSON goes to.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._rest = stream, ""

    def write(self, text: str) -> int:
        """Take text; whole lines of it are told."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in filter(str.strip, lines):
            kind, found, said = line.partition(": ")
            event = _EVENTS.get(kind) if found else None
            self.event({"event": event or "message", "text": said if event else line})
        return len(text)

    def event(self, event: Mapping[str, Any]) -> None:
        """Write an event."""
        self._stream.write(json.dumps(event, ensure_ascii=False) + "\n")
        self._stream.flush()


_EVENTS = {"warning": "warning", "note": "note", "geoseg": "error"}


@contextmanager
def json_messages(wanted: bool = True) -> Iterator[None]:
    """Let everything that is said on stderr be JSON, a line for each event, for programs."""
    before = sys.stderr
    if not wanted:
        yield
        return
    sys.stderr = lines = JsonLines(before)
    try:
        yield
    finally:
        lines.write("\n")
        sys.stderr = before


def silence_stdout() -> None:
    """Where nobody reads it any more: Python would complain about the closed pipe once more at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
