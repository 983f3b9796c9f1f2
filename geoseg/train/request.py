"""Options by their names on the command line to a request for training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geoseg.errors import OptionError
from geoseg.runtime.cores import usable_cores
from geoseg.train.job import Request
from geoseg.train.recipe import merged, parse_settings, read_entries
from geoseg.train.run import Hardware

_MOST_WORKERS = 4


def request_from(datasets: tuple[Path, ...], output: Path, values: Mapping[str, Any]) -> Request:
    """Make a request of options by their names on the command line.

    Args:
        datasets: folders of data sets.
        output: folder of the run.
        values: by name, those of ``geoseg train``: ``recipe``, ``settings`` (``KEY=VALUE``),
            ``architecture``, ``encoder``, ``lr``, ``epochs``, ... Those that are left out are usual.

    Raises:
        OptionError: a value makes no sense.
    """
    entries = read_entries(Path(values["recipe"])) if values.get("recipe") else {}
    entries = merged(entries, _entries(values))
    entries = merged(entries, parse_settings(values.get("settings", ())))
    workers = values.get("workers")
    if workers is None:
        workers = min(_MOST_WORKERS, usable_cores() // 2)
    return Request(
        datasets,
        output,
        entries,
        Hardware(values.get("device", "auto"), values.get("devices", 1), values.get("nodes", 1), workers),
        values.get("init"),
        values.get("minutes"),
        values.get("lr") == "auto",
        bool(values.get("resume")),
        bool(values.get("overwrite")),
    )


def _entries(values: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of the recipe that have an option of their own."""
    network = {
        name: values[name] for name in ("architecture", "encoder", "encoder_weights") if values.get(name)
    }
    if network.get("encoder_weights") == "none":
        network["encoder_weights"] = None
    fitting: dict[str, Any] = {"epochs": values["epochs"]} if values.get("epochs") else {}
    if values.get("lr") not in (None, "auto"):
        fitting["rate"] = _rate(values["lr"])
    single = {name: values[name] for name in ("seed", "licence") if values.get(name) is not None}
    groups = {"network": network, "fitting": fitting}
    return {**{name: group for name, group in groups.items() if group}, **single}


def _rate(text: str | float) -> float:
    try:
        return float(text)
    except ValueError:
        raise OptionError(f"--lr {text!r} is no number", "for example --lr 0.001, or --lr auto") from None
