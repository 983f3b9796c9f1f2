"""Pure values, planning arithmetic and protocols; NumPy only."""

from geoseg.core.bands import bind_bands
from geoseg.core.bundle import BundleSpec, Precision, Scaling
from geoseg.core.classes import LEVELS, NODATA, ClassList, LabelClass, least_score, usual_colour
from geoseg.core.grid import IDENTITY, UNPLACED, GeoGrid, Transform
from geoseg.core.options import NetworkOptions, OutputOptions, SegmentOptions, VectorOptions
from geoseg.core.patches import TAPERS, PatchAxis, PatchGrid
from geoseg.core.plan import InputScaling, Plan, make_plan, wants_stretch
from geoseg.core.polygon_settings import Defaults, PolygonSettings
from geoseg.core.protocols import Output, Predictor, Progress, Sink
from geoseg.core.record import RunRecord
from geoseg.core.resources import MB, Estimate, Machine, Resources
from geoseg.core.scene import Band, SceneInfo
from geoseg.core.spec import BundleReference, RunSpec, SceneReference
from geoseg.core.strip import RowBlock, ScoreRows, Strip
from geoseg.core.window import Window

__all__ = [
    "IDENTITY",
    "LEVELS",
    "MB",
    "NODATA",
    "TAPERS",
    "UNPLACED",
    "Band",
    "BundleReference",
    "BundleSpec",
    "ClassList",
    "Defaults",
    "Estimate",
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
    "PolygonSettings",
    "Precision",
    "Predictor",
    "Progress",
    "Resources",
    "RowBlock",
    "RunRecord",
    "RunSpec",
    "Scaling",
    "SceneInfo",
    "SceneReference",
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
