"""Words for people."""

from __future__ import annotations


def counted(number: int, noun: str) -> str:
    """``1 image``, ``1,200 images``, ``2 patches``."""
    ending = "es" if noun.endswith(("s", "ch")) else "s"
    return f"{number:,} {noun}{ending if number != 1 else ''}"
