"""Every failure a user can meet, with its remedy.

::

    GeosegError
    ├── InputError          a file or value the user gave cannot be used
    │   ├── SceneError      ... a raster
    │   ├── VectorError     ... a vector file
    │   ├── BundleError     ... a model
    │   └── OptionError     ... an option's value
    ├── OutputError         a result cannot be written (folder, disk, existing file)
    ├── ResourceError       the memory or the device asked for is not enough or not there
    ├── ResumeError         a killed run cannot be continued with these inputs
    └── Interrupted         the user stopped the run; it can be resumed

A message is one line: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "BundleError",
    "GeosegError",
    "InputError",
    "Interrupted",
    "OptionError",
    "OutputError",
    "ResourceError",
    "ResumeError",
    "SceneError",
    "VectorError",
]


class GeosegError(Exception):
    """A failure with a remedy.

    Args:
        what: what is wrong, with the file or value it concerns.
        remedy: what the user can do about it; empty where there is nothing to do.
    """

    exit_code = 1

    def __init__(self, what: str, remedy: str = "") -> None:
        self.what = " ".join(what.split())
        self.remedy = " ".join(remedy.split())
        super().__init__(str(self))

    def __str__(self) -> str:
        return f"{self.what} ({self.remedy})" if self.remedy else self.what

    def __reduce__(self) -> tuple[type[GeosegError], tuple[str, str]]:
        return type(self), (self.what, self.remedy)


class InputError(GeosegError):
    """A file or value that the user gave cannot be used."""


class SceneError(InputError):
    """A raster cannot be read, or not as the job needs it."""


class VectorError(InputError):
    """A vector file cannot be read, or not as the job needs it."""


class BundleError(InputError):
    """A model bundle is missing, damaged or unsafe."""


class OptionError(InputError):
    """An option's value makes no sense, alone or with another."""


class OutputError(GeosegError):
    """A result cannot be written."""


class ResourceError(GeosegError):
    """The memory or device that was asked for is not enough or not there."""


class ResumeError(GeosegError):
    """A run that was cut off cannot be continued with these inputs."""


class Interrupted(GeosegError):  # noqa: N818 - an interruption is no error of anybody's
    """The user stopped the run."""

    exit_code = 130
