"""``geoseg prepare``: labels of any form to a data set; one file a command."""

from __future__ import annotations

import click

from geoseg.cli.lazy import LazyGroup

FORMS = {
    "coco": "Make a data set of COCO instances.",
    "labelstudio": "Make a data set of a Label Studio export.",
    "yolo": "Make a data set of YOLO polygons.",
    "palette": "Make a data set of masks in colours.",
    "folders": "Make a data set of images and masks with matching names.",
    "vectors": "Make a data set of scenes and the outlines on them.",
    "colours": "Write a data set's masks in their classes' colours.",
    "merge": "Join data sets of the same classes.",
}


@click.group(
    "prepare",
    cls=LazyGroup,
    package="geoseg.cli.prepare",
    listed=FORMS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
def command() -> None:
    """Make a data set of images and labels of any form.

    A data set is a folder with images, masks of class ids, and what there is to know about them. A command
    that was stopped goes on where it was when it is started again.
    """
