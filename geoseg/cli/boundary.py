"""Where failures become one line and an exit code.

0 done, 1 the user's input, disk or machine, 2 usage, 130 interrupted. A traceback is shown with ``--debug``
only.
"""

from __future__ import annotations

import sys
import traceback
from itertools import pairwise

import click

from geoseg.errors import GeosegError
from geoseg.runtime import process

INTERRUPTED = 130
RESUMABLE = {
    "infer": "the same command with --resume goes on from here",
    "prepare": "the same command goes on from here",
    "train": "the same command with --resume goes on from the last epoch",
}
"""Commands that go on where they were stopped, and how."""
OPTIONAL = {"lightning", "matplotlib", "pycocotools", "scipy", "tensorboard", "yaml"}
"""Libraries that only geoseg's extras bring."""


def run(group: click.Group, arguments: list[str]) -> int:
    """Run a command and turn whatever happens into an exit code.

    Args:
        group: the command line.
        arguments: without the program's name.

    Returns:
        The process's exit code; what went wrong was said on stderr.
    """
    with process.json_messages(wants_json(arguments)):
        return _run(group, arguments)


def wants_json(arguments: list[str]) -> bool:
    """Whether a program reads stderr: the whole of it is JSON then, mistakes in the options included."""
    return "--progress=json" in arguments or ("--progress", "json") in pairwise(arguments)


def _run(group: click.Group, arguments: list[str]) -> int:  # noqa: PLR0911 - one for each way to end
    debug = "--debug" in arguments
    process.obey_sigterm()
    if not debug:
        process.ignore_warnings()
    try:
        code = group.main(args=arguments, prog_name="geoseg", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except GeosegError as error:
        return _fail(str(error), error.exit_code, debug)
    except (KeyboardInterrupt, click.Abort):
        return _fail(f"stopped{_how_to_go_on(arguments)}", INTERRUPTED, debug)
    except BrokenPipeError:
        process.silence_stdout()
        return 1
    except MemoryError:
        return _fail("out of memory (use --max-memory, a smaller --patch, or a larger machine)", 1, debug)
    except ModuleNotFoundError as error:
        return _fail(_missing(error), 1, debug)
    # The one place where everything is caught: a user should read one line, and is told that it is our bug.
    except Exception as error:  # noqa: BLE001
        return _fail(_bug(error), 1, debug)


def _fail(message: str, code: int, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    click.echo(f"geoseg: {message}", err=True)
    return code


def _bug(error: Exception) -> str:
    text = " ".join(str(error).split())[:300]
    what = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"this is a bug in geoseg: {what} (add --debug for the traceback, and please report it)"


def _missing(error: ModuleNotFoundError) -> str:
    library = str(error.name).partition(".")[0]
    if library not in OPTIONAL:
        return _bug(error)
    return f"{library} is not installed (pip install '.[train]' in the clone's folder)"


def _how_to_go_on(arguments: list[str]) -> str:
    return next((f" ({how})" for name, how in RESUMABLE.items() if name in arguments), "")
