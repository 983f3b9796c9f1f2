"""Which band of a scene feeds which input of the network."""

from __future__ import annotations

from collections.abc import Sequence

from geoseg.core.scene import Band, SceneInfo
from geoseg.errors import OptionError, SceneError


def bind_bands(
    info: SceneInfo, wanted: Sequence[str], chosen: Sequence[str] = ()
) -> tuple[tuple[int, ...], str | None]:
    """Find the scene's bands for a network.

    Bands are found by the user's choice, else by name, else by colour interpretation, else, where a scene
    says nothing about its bands, by their order.

    Args:
        info: the scene.
        wanted: the network's bands in order.
        chosen: numbers (from 1) or names, one for each of ``wanted``; empty for none.

    Returns:
        Band numbers in the order of ``wanted``, and a warning or None.

    Raises:
        OptionError: if ``chosen`` does not fit.
        SceneError: if the scene has no such bands.
    """
    if chosen:
        return _by_choice(info, wanted, chosen), None
    found = _by(info.bands, wanted, "name") or _by(info.bands, wanted, "colour")
    if found:
        return found, None
    colours = [b for b in info.bands if b.colour != "alpha"]
    if len(colours) >= len(wanted) and not any(b.colour in ("red", "palette") for b in colours):
        order = tuple(b.index for b in colours[: len(wanted)])
        named = ", ".join(f"{n}={i}" for n, i in zip(wanted, order, strict=True))
        return order, f"bands have no names or colours: taken in order ({named}); --bands changes it"
    raise SceneError(
        f"{info.name}: the model reads {len(wanted)} bands ({', '.join(wanted)}), "
        f"the scene has {_describe(info)}",
        "name the bands to use, e.g. --bands " + ",".join(["1"] * len(wanted)),
    )


def _by(bands: Sequence[Band], wanted: Sequence[str], key: str) -> tuple[int, ...] | None:
    by_key = {str(getattr(b, key)).lower(): b.index for b in reversed(bands)}
    found = [by_key.get(name.lower()) for name in wanted]
    return tuple(i for i in found if i is not None) if all(found) else None


def _by_choice(info: SceneInfo, wanted: Sequence[str], chosen: Sequence[str]) -> tuple[int, ...]:
    if len(chosen) != len(wanted):
        raise OptionError(
            f"--bands {','.join(chosen)} names {len(chosen)} bands, the model reads {len(wanted)}",
            f"give one band for each of {', '.join(wanted)}",
        )
    by_name = {b.name.lower(): b.index for b in reversed(info.bands) if b.name}
    numbers = []
    for choice in chosen:
        index = int(choice) if choice.isdigit() else by_name.get(choice.lower(), 0)
        if not 1 <= index <= len(info.bands):
            raise OptionError(f"--bands: no band {choice!r}", f"{info.name} has {_describe(info)}")
        numbers.append(index)
    return tuple(numbers)


def _describe(info: SceneInfo) -> str:
    names = [b.name or b.colour for b in info.bands]
    shown = ", ".join(names[:8]) + (", ..." if len(names) > 8 else "")
    return f"{len(names)} ({shown})"
