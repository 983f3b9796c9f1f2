"""The bundle that a run begins with, as its recipe records it."""

from __future__ import annotations

from dataclasses import dataclass

from geoseg.errors import BundleError
from geoseg.model.bundle import Bundle, load_bundle


@dataclass(frozen=True, slots=True)
class InitialModel:
    """A bundle that is refined.

    Attributes:
        bundle: its name or folder, as it was given.
        name: its own.
        licence: its own.
        sha256: of its description, which pins its weights; empty: any.
    """

    bundle: str = ""
    name: str = ""
    licence: str = ""
    sha256: str = ""

    def load(self) -> Bundle:
        """The bundle.

        Raises:
            BundleError: it cannot be loaded, or is another one.
        """
        found = load_bundle(self.bundle)
        if self.sha256 and found.sha256 != self.sha256:
            raise BundleError(f"{self.bundle} is not the bundle that the recipe was made with", "see --init")
        return found


def recorded(bundle: Bundle, ref: str) -> InitialModel:
    """What is recorded of a bundle."""
    return InitialModel(ref, bundle.spec.name, bundle.spec.licence, bundle.sha256)
