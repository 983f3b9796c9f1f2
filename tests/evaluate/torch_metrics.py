"""torchmetrics, an oracle of tests: it imports torchvision, which needs help beside another torch."""

from __future__ import annotations

from geoseg.model._torchvision_guard import import_torchvision

import_torchvision()

from torchmetrics.functional import classification  # noqa: E402, F401 - after the help
