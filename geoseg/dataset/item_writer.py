"""One image of a data set in the making: copied, its labels drawn and written, its values measured."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from geoseg.core import NODATA, ClassList, Window
from geoseg.core.files import writing
from geoseg.dataset.images import strips
from geoseg.dataset.items import Labels, picture_bands
from geoseg.dataset.staging import StagingFolder
from geoseg.dataset.statistics import PartStatistics, measure_part
from geoseg.raster import Scene, open_scene
from geoseg.raster.georef import world_file_path
from geoseg.raster.labelfile import id_file, mask_file

COPY_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """An image to be taken into a data set.

    Attributes:
        stem: its name there.
        image: a raster.
        source: name of one of the recipe's sources.
        gsd_m: side of a pixel in metres, where the image does not say; None: not known.
        inputs: files that its labels come from; where one changes, they are drawn anew.
        key: what else its labels depend on.
        objects: how many outlines it has; None where objects are not known apart.
        irregular: how many irregularities its labels have.
        alpha: what a band of it flagged as alpha is: ``auto``, ``mask`` or ``band``.
        keep_collar: padding along the image's border is labelled like the rest; else it is ignored.
    """

    stem: str
    image: Path
    source: str
    gsd_m: float | None = None
    inputs: tuple[Path, ...] = ()
    key: str = ""
    objects: int | None = None
    irregular: int = 0
    alpha: str = "auto"
    keep_collar: bool = False


Draw = Callable[[LabelledImage, Scene, Window], Labels]
"""Labels of a window of a sample's image, which is open. Called from several threads at once."""


@dataclass(frozen=True, slots=True)
class Making:
    """How samples become files.

    Attributes:
        classes: what labels mean.
        draw: gives them; with instances, where the sample says how many objects it has.
        options: JSON of everything else that changes them.
        sampled: values per band and image that are kept for percentiles.
    """

    classes: ClassList
    draw: Draw
    options: str
    sampled: int

    def make(self, workshop: StagingFolder, sample: LabelledImage) -> dict[str, Any]:
        """Write a sample's files, unless an earlier run has done it.

        Returns:
            Its entry in the journal: ``item`` as ``dataset.json`` has it, ``digest``, ``parts`` of the
            statistics, and files ``beside`` the image.

        Raises:
            InputError, OutputError: if its labels make no sense, or files cannot be written.
        """
        key = self._key(sample)
        done = workshop.finished.get(key)
        if done is not None:
            return done
        with open_scene(sample.image, alpha=sample.alpha) as scene:
            collar = scene.leave_out_collar(picture_bands(scene.info), () if sample.keep_collar else None)
            copies, digest = _copy_image(scene, workshop.folder / "images", sample.stem)
            item, parts = self._write_labels(workshop.folder, sample, scene, digest)
        item |= {"stem": sample.stem, "image": f"images/{copies[0].name}", "source": sample.source}
        item |= {"gsd_m": scene.info.mean_gsd_m or sample.gsd_m, "size": list(scene.info.grid.size)}
        item |= {"objects": sample.objects, "irregular": sample.irregular, "alpha": sample.alpha}
        item |= {"collar": collar.pixels if collar else 0}
        entry = {"item": item, "digest": digest.hexdigest(), "parts": [part.to_json() for part in parts]}
        entry["beside"] = [f"images/{copy.name}" for copy in copies[1:]]
        workshop.note(key, entry)
        return entry

    def is_finished(self, workshop: StagingFolder, sample: LabelledImage) -> bool:
        """Whether an earlier run has made a sample."""
        return self._key(sample) in workshop.finished

    def _write_labels(
        self, folder: Path, sample: LabelledImage, scene: Scene, digest: Any
    ) -> tuple[dict[str, Any], list[PartStatistics]]:
        grid, bands = scene.info.grid, picture_bands(scene.info)
        counts = np.zeros(256, np.int64)
        parts = []
        with ExitStack() as files:
            mask_path, mask = mask_file(folder / "masks", sample.stem, grid, self.classes)
            files.enter_context(mask)
            id_path, ids = None, None
            if sample.objects is not None:
                id_path, ids = id_file(folder / "instances", sample.stem, grid)
                files.enter_context(ids)
            windows = list(strips(grid.size))
            for window in windows:
                pixels, valid = scene.read(window, bands)
                parts.append(measure_part(pixels, valid, max(1, self.sampled // len(windows))))
                labels = self.draw(sample, scene, window)
                drawn = np.where(valid, labels.mask, np.uint8(NODATA))
                counts += np.bincount(drawn.ravel(), minlength=256)
                digest.update(drawn)
                mask.add(drawn)
                if ids is not None and labels.instances is not None:
                    apart = np.where(valid, labels.instances, np.uint32(0))
                    digest.update(apart)
                    ids.add(apart)
        counted = [*counts[: len(self.classes)].tolist(), int(counts[NODATA])]
        instances = f"instances/{id_path.name}" if id_path else None
        return {"mask": f"masks/{mask_path.name}", "instances": instances, "counts": counted}, parts

    def _key(self, sample: LabelledImage) -> str:
        states = [(str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in (sample.image, *sample.inputs)]
        said = [self.options, self.classes.to_json(), self.sampled, states]
        own = [
            sample.stem,
            sample.source,
            sample.gsd_m,
            sample.key,
            sample.objects,
            sample.irregular,
            sample.alpha,
            sample.keep_collar,
        ]
        return hashlib.sha256(json.dumps([said, own]).encode()).hexdigest()


def _copy_image(scene: Scene, folder: Path, stem: str) -> tuple[list[Path], Any]:
    """Copy an image byte for byte, with the files beside it that say where it lies and what is valid.

    Returns:
        The copies, that of the image first, and a sha256 of their bytes that more can be added to.
    """
    target = folder / (stem + scene.path.suffix.lower())
    copies = [(scene.path, target)]
    copies += [(mask, target.with_name(target.name + mask.suffix)) for mask in scene.source.files[1:]]
    world = world_file_path(scene.path)
    if world is not None:
        copies.append((world, target.with_suffix(world.suffix)))
    digest = hashlib.sha256()
    for source, copy in copies:
        _copy(source, copy, digest)
    return [copy for _, copy in copies], digest


def _copy(source: Path, target: Path, digest: Any) -> None:
    with writing(target), source.open("rb") as old, target.open("wb") as new:
        while block := old.read(COPY_BYTES):
            digest.update(block)
            new.write(block)
        new.flush()
        os.fsync(new.fileno())
