"""Pure values, planning arithmetic and protocols; NumPy only."""

from geoseg.core.bands import bind_bands
from geoseg.core.bundle import BundleSpec, Precision, Scaling
from geoseg.core.classes import LEVELS, NODATA, ClassList, LabelClass, least_score, usual_colour
from geoseg.core.grid import IDENTITY, UNPLACED, GeoGrid, Transform
from geoseg.core.options import NetworkOptions, OutputOptions, SegmentOptions, VectorOptions
from geoseg.core.patches import TAPERS, PatchAxis, PatchGrid
from geoseg.core.plan import InputScaling, Machine, Plan, make_plan, wants_stretch
from geoseg.core.protocols import Output, Predictor, Progress, Sink
from geoseg.core.record import RunRecord
from geoseg.core.scene import Band, SceneInfo
from geoseg.core.strip import RowBlock, ScoreRows, Strip
from geoseg.core.window import Window

__all__ = [
    "IDENTITY",
    "LEVELS",
    "NODATA",
    "TAPERS",
    "UNPLACED",
    "Band",
    "BundleSpec",
    "ClassList",
    "GeoGrid",
    "InputScaling",
    "LabelClass",
    "Machine",
    "NetworkOptions",
    "Output",
    "OutputOptions",
    "PatchAxis",
    "PatchGrid",
    "Plan",
    "Precision",
    "Predictor",
    "Progress",
    "RowBlock",
    "RunRecord",
    "Scaling",
    "SceneInfo",
    "ScoreRows",
    "SegmentOptions",
    "Sink",
    "Strip",
    "Transform",
    "VectorOptions",
    "Window",
    "bind_bands",
    "least_score",
    "make_plan",
    "usual_colour",
    "wants_stretch",
]
