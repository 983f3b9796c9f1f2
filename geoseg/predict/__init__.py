"""Engine and blending, written against the protocols."""

from geoseg.predict.blending import blend
from geoseg.predict.halving import HalvingPredictor
from geoseg.predict.strips import class_labels, finish_strips, label_strip

__all__ = ["HalvingPredictor", "blend", "class_labels", "finish_strips", "label_strip"]
