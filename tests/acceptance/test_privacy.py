"""Nothing leaves the machine, whatever the libraries below would send home by themselves."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from geoseg.model import openvino_predictor
from tests.acceptance.driver import ROOT

pytestmark = pytest.mark.skipif(not openvino_predictor.is_installed(), reason="OpenVINO is not installed")

WATCHED = """
import os, sys
CALLS = ("os.fork", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto")
log = os.open(sys.argv.pop(1), os.O_WRONLY | os.O_APPEND)
def note(*what):
    os.write(log, f"{what}\\n".encode())
sys.addaudithook(lambda event, arguments: note(event, arguments) if event in CALLS else None)
from geoseg.cli.main import main
try:
    main()
finally:
    if "openvino_telemetry" in sys.modules:
        note("its reporter is there")
"""
"""Runs ``geoseg`` and takes note of what would reach the network, in processes that it forks, too."""


def test_nothing_is_sent(bundle, scene, tmp_path):
    """OpenVINO's converter reports its use to its makers unless they were told before not to."""
    log, home = tmp_path / "log", tmp_path / "home"
    log.touch()
    home.mkdir()
    quiet = ("CI", "TF_BUILD", "JENKINS_URL")  # which it takes for reasons not to
    environment = {k: v for k, v in os.environ.items() if k not in quiet}
    environment |= {"HOME": str(home), "USERPROFILE": str(home), "PYTHONPATH": str(ROOT)}
    infer = ("infer", scene, "-o", tmp_path / "out", "--bundle", bundle, "--runtime", "openvino")
    export = ("model", "export", bundle, "-o", tmp_path / "exported", "--format", "openvino")
    for words in (infer, export, ("doctor",)):
        command = [sys.executable, "-c", WATCHED, str(log), *map(str, words)]
        ran = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert ran.returncode == 0, ran.stderr
    assert log.read_text() == ""
    assert [] == sorted(path.name for path in home.glob("[!.]*"))
