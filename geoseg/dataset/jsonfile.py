"""JSON that other tools wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from geoseg.errors import InputError

MAX_BYTES = 2_000_000_000


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        InputError: if it cannot be read; names the line and column of a syntax error.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError(f"{path}: is larger than {MAX_BYTES // 10**9} GB", "export it in parts")
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or error}", "check the path") from error
    except json.JSONDecodeError as error:
        raise InputError(
            f"{path}: is no JSON: line {error.lineno}, column {error.colno}: {error.msg}",
            "export it anew, or correct it there",
        ) from error
    except (ValueError, RecursionError) as error:  # no text, numbers of thousands of digits, ...
        raise InputError(f"{path}: is no JSON: {error}", "export it anew") from error
