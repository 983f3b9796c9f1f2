"""A headless browser for tests of pages."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.limits import HANGS_S

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--virtual-time-budget=4000")


def browser() -> str:
    """The browser's path; the test is skipped where there is none."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is installed")
    return found


def run_browser(profile: Path, *arguments: str) -> str:
    """Run it once with a profile of its own; returns what it prints."""
    command = [browser(), *FLAGS, f"--user-data-dir={profile}", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=HANGS_S).stdout


def dom_of(page: Path, profile: Path, *arguments: str, fragment: str = "") -> str:
    """The page's HTML after its scripts have run."""
    return run_browser(profile, *arguments, "--dump-dom", page.resolve().as_uri() + fragment)
