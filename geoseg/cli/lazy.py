"""Groups of commands, each loaded only when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

import click


class LazyGroup(click.Group):
    """A group that imports ``<package>.<command>`` when the command is used.

    Args:
        package: where the commands' modules are; each has a ``command``.
        listed: name and first line of each command's help, in the order in which a newcomer needs them;
            here so that ``--help`` loads none of them.
        arguments: click's own.
    """

    def __init__(
        self, *, package: str = "", listed: Mapping[str, str] | None = None, **arguments: Any
    ) -> None:
        super().__init__(**arguments)
        self._package = package
        self._listed = dict(listed or {})

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in self._listed:
            return None
        command = importlib.import_module(f"{self._package}.{cmd_name.replace('-', '_')}").command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self._listed.items()))
