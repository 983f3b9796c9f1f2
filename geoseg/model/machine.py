"""What this machine offers to a network."""

from __future__ import annotations

import platform
from pathlib import Path

import torch

from geoseg.core import Machine, NetworkOptions
from geoseg.errors import OptionError, ResourceError
from geoseg.model import openvino_predictor
from geoseg.runtime.cores import available_memory, lines_of, usable_cores

_CPUINFO = Path("/proc/cpuinfo")


def describe_machine(options: NetworkOptions) -> Machine:
    """Find the device and runtime that the user's options come to here.

    Raises:
        ResourceError: a device or runtime was asked for that is not there.
        OptionError: OpenVINO was asked for together with a GPU.
    """
    # OpenVINO runs on the CPU: who asks for it and leaves the device open means the CPU.
    device = _device("cpu" if (options.runtime, options.device) == ("openvino", "auto") else options.device)
    runtime = _runtime(options.runtime, device)
    if device == "cuda":
        name, bf16 = torch.cuda.get_device_name(), torch.cuda.get_device_capability() >= (8, 0)
    else:
        name, bf16 = _cpu_name(), runtime == "openvino" and openvino_predictor.has_bf16()
    return Machine(device, name, runtime, bf16, usable_cores(), available_memory())


def _device(wish: str) -> str:
    found = torch.cuda.is_available()
    if wish == "cuda" and not found:
        reason = "torch was built without CUDA" if torch.version.cuda is None else "torch finds no GPU"
        raise ResourceError(f"--device cuda: {reason}", "use --device cpu, or see `geoseg doctor`")
    return "cuda" if found and wish != "cpu" else "cpu"


def _runtime(wish: str, device: str) -> str:
    if wish == "openvino" and device == "cuda":
        raise OptionError("--runtime openvino runs on the CPU only", "add --device cpu")
    if wish == "openvino" and not openvino_predictor.is_installed():
        raise ResourceError(
            "--runtime openvino: OpenVINO is not installed", "pip install openvino, or use --runtime torch"
        )
    if wish == "auto":
        return "openvino" if device == "cpu" and openvino_predictor.is_installed() else "torch"
    return wish


def _cpu_name() -> str:
    for line in lines_of(_CPUINFO):
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.processor() or platform.machine()
