"""Let torchvision be imported beside a torch build that it was not compiled for.

A CPU build of torch next to PyPI's torchvision fails on import, because torchvision registers fake kernels
for two operators that its C++ library would have declared. smp and timm import torchvision, but geoseg calls
neither operator: declaring their schemas is enough. Any other failure is left alone.
"""

import importlib

import torch

from geoseg.runtime.temporary import forget_module

_MISSING = "operator torchvision::nms does not exist"
_SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []  # a Library takes its schemas back when it is collected


def import_torchvision() -> bool:
    """Import torchvision, declaring the two missing operators if that is what it fails on.

    Returns:
        True if the operators had to be declared (torch and torchvision do not belong together).

    Raises:
        RuntimeError: torchvision failed for another reason; passed on unchanged.
    """
    try:
        importlib.import_module("torchvision")
    except RuntimeError as error:
        if _MISSING not in str(error):
            raise
    else:
        return bool(_declared)
    forget_module("torchvision")  # so that the second attempt runs what the first one has left half done
    library = torch.library.Library("torchvision", "DEF")  # type: ignore[no-untyped-call]
    for schema in _SCHEMAS:
        library.define(schema)  # type: ignore[no-untyped-call]
    _declared.append(library)
    importlib.import_module("torchvision")
    return True
