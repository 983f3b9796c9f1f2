"""From labelled images and a recipe to a model bundle."""

from geoseg.model._torchvision_guard import import_torchvision

import_torchvision()  # before Lightning, whose torchmetrics imports torchvision wherever it is installed
