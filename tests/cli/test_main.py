"""The command line's frame: help, exit codes, one line for every failure."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from geoseg.cli.boundary import run
from geoseg.cli.lazy import LazyGroup
from geoseg.cli.main import COMMANDS, cli
from geoseg.errors import Interrupted, OptionError, SceneError
from tests.limits import HANGS_S

GEOSEG = (sys.executable, "-m", "geoseg")


@pytest.fixture(autouse=True)
def sigterm_as_before() -> Iterator[None]:
    """The boundary belongs to a process of its own; here it must leave no trace."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def group_that(act: Callable[[], object]) -> click.Group:
    """A command line whose only command does this."""

    @click.group()
    def group() -> None:
        """A group."""

    @group.command("go")
    @click.option("--debug", is_flag=True)
    def go(debug: bool) -> None:
        act()

    return group


def failing(error: BaseException) -> Callable[[], object]:
    """A command that raises."""

    def act() -> None:
        raise error

    return act


def test_help_lists_every_command_as_it_describes_itself() -> None:
    """The table in ``main``, which keeps ``--help`` fast, says what the commands themselves say."""
    with click.Context(cli) as context:
        said = {}
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            assert command.name == name
            said[name] = (command.help or "").split("\n\n")[0].replace("\n", " ")

    assert said == COMMANDS


def test_each_option_has_help() -> None:
    """No option is left unexplained."""

    def silent(command: click.Command, path: str) -> list[str]:
        found = [f"{path} {p.name}" for p in command.params if isinstance(p, click.Option) and not p.help]
        if isinstance(command, click.Group):
            with click.Context(command) as context:
                for name in command.list_commands(context):
                    child = command.get_command(context, name)
                    assert child is not None
                    found += silent(child, f"{path} {name}")
        return found

    assert silent(cli, "geoseg") == []


def test_options_mean_the_same_everywhere() -> None:
    """An option of one name has one type and one help text wherever it is shared."""
    shared = {"--json", "--debug", "--overwrite", "--bundle", "--bands", "--window", "--simplify-m"}
    seen: dict[str, set[str]] = {name: set() for name in shared}
    with click.Context(cli) as context:
        for name in COMMANDS:
            command = cli.get_command(context, name)
            assert command is not None
            for parameter in command.params:
                for flag in shared & set(parameter.opts):
                    assert isinstance(parameter, click.Option)
                    seen[flag].add(f"{parameter.type} {parameter.help}".split(" at 0x")[0])

    assert {flag: len(texts) for flag, texts in seen.items()} == dict.fromkeys(shared, 1)


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (
            SceneError("a.tif: is not a raster", "convert it"),
            1,
            "geoseg: a.tif: is not a raster (convert it)",
        ),
        (OptionError("batch 0", "use 1 or more"), 1, "geoseg: batch 0 (use 1 or more)"),
        (Interrupted("stopped", "go on with --resume"), 130, "geoseg: stopped (go on with --resume)"),
        (
            MemoryError(),
            1,
            "geoseg: out of memory (use --max-memory, a smaller --patch, or a larger machine)",
        ),
        (KeyboardInterrupt(), 130, "geoseg: stopped"),
    ],
)
def test_failures_are_one_line(
    error: BaseException, code: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a user can meet is told in one line on stderr, and by the exit code."""
    assert run(group_that(failing(error)), ["go"]) == code

    out, err = capsys.readouterr()
    assert (out, err.strip().splitlines()) == ("", [line])


def test_a_bug_is_named_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever was not foreseen is told in one line too, and how to learn more."""
    assert run(group_that(failing(ZeroDivisionError("division\nby zero"))), ["go"]) == 1

    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "geoseg: this is a bug in geoseg: ZeroDivisionError: division by zero (add --debug"
    )


def test_a_library_of_an_extra_that_is_missing_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    """Users who installed geoseg without its extras are told which one they need."""
    error = ModuleNotFoundError("No module named 'pycocotools.mask'", name="pycocotools.mask")

    assert run(group_that(failing(error)), ["go"]) == 1
    assert capsys.readouterr().err == (
        "geoseg: pycocotools is not installed (pip install '.[train]' in the clone's folder)\n"
    )


def test_debug_shows_the_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    """Only with ``--debug``."""
    assert run(group_that(failing(SceneError("bad"))), ["go", "--debug"]) == 1

    assert "Traceback" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["nothing"], ["info"], ["infer", "x.tif", "--device", "tpu"], ["--no"]]
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong words end with 2 and say how it goes."""
    assert run(cli, arguments) == 2

    assert "Usage: geoseg" in capsys.readouterr().err


def test_interrupted_infer_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    """A command that can resume says so."""

    @click.group()
    def group() -> None:
        """A group."""

    group.add_command(click.Command("infer", callback=failing(KeyboardInterrupt())))

    assert run(group, ["infer"]) == 130
    assert "--resume" in capsys.readouterr().err


def test_unknown_commands_are_none() -> None:
    """A lazy group imports nothing that is not in its table."""
    assert LazyGroup().get_command(click.Context(cli), "os") is None


def test_version() -> None:
    """``--version`` names the package's own."""
    import geoseg

    done = subprocess.run([*GEOSEG, "--version"], capture_output=True, text=True, check=True)

    assert done.stdout == f"geoseg {geoseg.__version__}\n"


def test_missing_scene_in_a_real_process(tmp_path: Path) -> None:
    """No traceback, one line, 1."""
    words = [*GEOSEG, "info", str(tmp_path / "no.tif")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("geoseg: ")


@pytest.mark.skipif(os.name != "posix", reason="SIGTERM is POSIX")
def test_sigterm_ends_like_ctrl_c() -> None:
    """A polite kill cleans up and ends with 130."""
    code = (
        "import sys, time, click\n"
        "from geoseg.cli.boundary import run\n"
        "@click.group()\n"
        "def group(): pass\n"
        "@group.command('infer')\n"
        "def infer():\n"
        "    print('ready', flush=True)\n"
        "    try:\n"
        "        time.sleep(60)\n"
        "    finally:\n"
        "        print('cleaned', flush=True)\n"
        "sys.exit(run(group, ['infer']))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=HANGS_S)

    assert (process.returncode, out) == (130, "cleaned\n")
    assert err.strip() == "geoseg: stopped (the same command with --resume goes on from here)"


@pytest.mark.skipif(os.name != "posix", reason="pipes and /dev/null")
def test_a_closed_pipe_is_quiet() -> None:
    """``geoseg ... | head`` leaves no complaint behind."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*GEOSEG, "model", "list", "--json"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writing)

    assert (done.returncode, done.stderr) == (1, "")
