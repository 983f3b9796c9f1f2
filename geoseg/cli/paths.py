"""Paths on the command line: files and folders of this machine."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from geoseg.core.addresses import folder_not_local, not_local, target_not_local
from geoseg.errors import OptionError


class LocalPath(click.Path):
    """A path on this machine; an address, a name in an archive or a quoted ``~`` is refused with the way on.

    Args:
        check: says what is wrong with a name, and the remedy; None where nothing is.
        path_type: what is given to the command.
    """

    def __init__(self, check: Callable[[str], tuple[str, str] | None], path_type: type[Any] = Path) -> None:
        super().__init__(path_type=path_type)
        self._check = check

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Parse.

        Raises:
            OptionError: if it is no such path.
        """
        problem = self._check(str(value))
        if problem is not None:
            raise OptionError(*problem)
        return super().convert(value, param, ctx)


PATH = LocalPath(not_local)
"""Of a file or folder that is read."""
TARGET = LocalPath(target_not_local)
"""Of a file or folder that is written."""
PATH_TEXT = LocalPath(not_local, str)
"""A path, pattern or name that is read, as it was typed."""
BUNDLE = LocalPath(folder_not_local, str)
"""A bundle's folder or name."""
