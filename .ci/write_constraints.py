"""Write ``constraints.txt``: the installed version of everything that geoseg and its extras bring."""

from __future__ import annotations

import re
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
HEADER = """\
# A repeatable set-up: the versions this revision was tested with, for `pip install -c constraints.txt`.
# They name all that `pip install -e ".[bench]"` brings on Python 3.11; `make constraints` writes them anew.
"""
NOT_OURS = {"geoseg", "setuptools"}


def canonical(name: str) -> str:
    """A distribution's name as indexes spell it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted(name: str, extras: frozenset[str], found: dict[str, frozenset[str]]) -> None:
    """Add a distribution and all that it requires here to ``found``."""
    key = canonical(name)
    before = found.get(key)
    if before is not None and extras <= before:
        return
    found[key] = (before or frozenset()) | extras
    for line in metadata.distribution(name).requires or []:
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": e}) for e in found[key] | {""}):
            wanted(requirement.name, frozenset(requirement.extras), found)


def main() -> int:
    """Write the file."""
    found: dict[str, frozenset[str]] = {}
    wanted("geoseg", frozenset({"bench", "dev", "all"}), found)
    # a local version (2.13.0+cpu) is one machine's build of a version that all machines have
    lines = [f"{n}=={metadata.version(n).partition('+')[0]}\n" for n in sorted(found) if n not in NOT_OURS]
    (ROOT / "constraints.txt").write_text(HEADER + "".join(lines), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
