"""Pages and figures, one look for all."""

from geoseg.report.picture import Overlay as Overlay
from geoseg.report.picture import draw_picture as draw_picture
from geoseg.report.view import View as View
from geoseg.report.view import read_view as read_view
from geoseg.report.view import view_window as view_window
