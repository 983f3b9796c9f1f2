"""The mean of the weights of two bundles of one network: ``average.py FIRST SECOND SHARE OUTPUT``.

SHARE is the part of the second. Everything else, such as the threshold, is the first's. Networks of which one
was trained on from the other often do better together on places that neither has seen.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from geoseg.model.bundle import load_bundle
from geoseg.model.pack import write_bundle


def main() -> None:
    """Write the bundle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("first")
    parser.add_argument("second")
    parser.add_argument("share", type=float)
    parser.add_argument("output", type=Path)
    parser.add_argument("--threshold", type=float, help="default: the first's")
    asked = parser.parse_args()
    first, second = load_bundle(asked.first), load_bundle(asked.second)
    tensors = {
        name: (1 - asked.share) * weight + asked.share * second.weights[name]
        if weight.is_floating_point()
        else weight
        for name, weight in first.weights.items()
    }
    spec = replace(first.spec, files={}, threshold=asked.threshold or first.spec.threshold)
    card = (first.folder / "card.md").read_text(encoding="utf-8")
    write_bundle(asked.output, spec, tensors, card, half=True)


if __name__ == "__main__":
    main()
