"""What a run may take of a machine, and what it will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from geoseg.errors import OptionError

MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Machine:
    """What the machine offers.

    Attributes:
        device: ``cpu`` or ``cuda``, after the user's wish was checked.
        device_name: to print.
        runtime: ``openvino`` or ``torch``, likewise.
        bf16: whether the device multiplies bfloat16 natively.
        cores: usable.
        memory: bytes available now.
    """

    device: str
    device_name: str
    runtime: str
    bf16: bool
    cores: int
    memory: int


@dataclass(frozen=True, slots=True)
class Resources:
    """What one run may take. It decides how a run goes, never what comes out.

    Attributes:
        threads: that compute at once; None: one for each core that the process may use.
        memory: bytes; None: what the machine has left.
    """

    threads: int | None = None
    memory: int | None = None

    def __post_init__(self) -> None:
        for name in ("threads", "memory"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} {value}", "use 1 or more")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run will take on this machine, and what the user should know before it.

    Attributes:
        memory: bytes at most.
        disk: bytes of temporary and final files, an upper estimate.
        warnings: a line each.
        seconds: None: not measured.
    """

    memory: int
    disk: int
    warnings: tuple[str, ...] = ()
    seconds: float | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"warnings": list(self.warnings)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Estimate:
        """The inverse of :meth:`to_json`."""
        return cls(**(dict(data) | {"warnings": tuple(data["warnings"])}))
