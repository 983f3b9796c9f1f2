"""The way back: a data set's masks in the colours of their classes, for programs that want them so."""

from __future__ import annotations

from pathlib import Path

from geoseg.core import Progress
from geoseg.dataset.classlists import write_class_list
from geoseg.dataset.images import strips
from geoseg.dataset.items import DataSet, Item
from geoseg.dataset.palette import to_colours
from geoseg.dataset.parallel import in_threads
from geoseg.dataset.staging import StagingFolder
from geoseg.dataset.store import read_labels
from geoseg.raster import open_scene
from geoseg.raster.labelfile import colour_file

MASKS, CLASSES = "masks", "classes.csv"


def write_colours(dataset: DataSet, target: Path, progress: Progress = lambda masks: None) -> int:
    """Write masks as red, green and blue into a new folder, with the list of classes; whole or not at all.

    Pixels to be ignored get a colour that no class has: white where that is free.

    Args:
        dataset: any that can be opened.
        target: the folder to make.
        progress: told how many more masks are done.

    Returns:
        How many masks were written.

    Raises:
        InputError: if two classes have one colour, or a mask does not fit its classes.
        OutputError: if the folder is there or cannot be written.
    """
    with StagingFolder(target, overwrite=False) as workshop:

        def write(item: Item) -> str:
            with open_scene(item.image) as scene:
                grid = scene.info.grid
            path, file = colour_file(workshop.folder / MASKS, item.stem, grid)
            with file:
                for window in strips(grid.size):
                    file.add(to_colours(read_labels(item, window).mask, dataset.classes))
            progress(1)
            return f"{MASKS}/{path.name}"

        written = set(in_threads(write, dataset.items))
        write_class_list(workshop.folder / CLASSES, dataset.classes)
        workshop.publish(written | {CLASSES})
    return len(written)
