"""Measure geoseg: ``python -m bench [--only PART ...] [--quick]``.

Prints one table and brings ``bench/results.json`` up to date. What is compared runs in turn, in one go, each
in a process of its own; a figure is the median of the rounds, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import tempfile
import time
from pathlib import Path

from bench.child import ROOT, ChildError
from bench.figures import Figure, commit, machine, save, table
from bench.scenes import Skip, Workbench

PARTS = ("start", "engine", "infer", "memory", "vectors", "regularise", "prepare", "train", "accuracy")
RESULTS = ROOT / "bench" / "results.json"


def main(arguments: list[str] | None = None) -> int:
    """Run the parts asked for."""
    options = _parser().parse_args(arguments)
    results = options.results or (None if options.quick else RESULTS)
    data = Path(os.environ.get("GEOSEG_DATA", ROOT.parent / "shared" / "data"))
    figures: list[Figure] = []
    failed = False
    with tempfile.TemporaryDirectory(prefix="geoseg-bench-", dir=options.folder) as folder:
        bench = Workbench(Path(folder), options.quick, data, options.bundle)
        for part in options.only or PARTS:
            failed |= not _measure(part, bench, figures, results)
    print(table(figures))
    print(f"\n{machine()}\ncommit {commit()}")
    return 1 if failed else 0


def _measure(part: str, bench: Workbench, figures: list[Figure], results: Path | None) -> bool:
    """Add a part's figures, each saved as soon as it is known; False where the part failed."""
    started = time.monotonic()
    try:
        for figure in importlib.import_module(f"bench.cases.{part}").run(bench):
            _tell(f"  {figure.key} {figure.value:.4g} {figure.unit} {figure.verdict}")
            figures.append(figure)
            if results:
                save(results, [figure])
    except Skip as reason:
        _tell(f"{part}: skipped: {reason}")
    except ChildError as error:
        _tell(f"{part}: FAILED: {error}")
        return False
    _tell(f"{part}: {time.monotonic() - started:.0f} s")
    return True


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, not how fast")
    parser.add_argument(
        "--results", type=Path, help="file to bring up to date; bench/results.json, none in a quick run"
    )
    parser.add_argument("--bundle", help="folder of a bundle to measure in place of the embedded one")
    parser.add_argument("--folder", type=Path, help="where scenes and results lie meanwhile; some 3 GB")
    return parser


if __name__ == "__main__":
    sys.exit(main())
