"""A scene to patches on disk and patches back to a scene: ``geoseg tile`` and ``geoseg mosaic``."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from geoseg.core import ClassList, PatchGrid, Progress, Window
from geoseg.core.files import check_name, check_tiff, make_folder, remove_leftovers, writing
from geoseg.errors import InputError, OptionError, OutputError
from geoseg.raster import (
    Blending,
    PatchWriter,
    Scene,
    ScenePatch,
    classes_of,
    cut_patches,
    find_patches,
    open_scene,
    write_mosaic,
)
from geoseg.raster.georef import grid_difference
from geoseg.raster.survey import is_label_raster
from geoseg.vector.formats.index import write_index

SORTS = ("max", "majority")
PLACES = ("", "images/", "masks/", "images/*/", "masks/*/")
"""Where below its folder a run puts patches."""


@dataclass(frozen=True, slots=True)
class TileOptions:
    """How a scene is cut.

    Attributes:
        patch: ``(height, width)`` in pixels.
        overlap: ``(height, width)`` that neighbouring patches share, at most half a patch.
        labels: a raster on the scene's grid to cut alike, or None.
        sort_by: put patches into a folder per class of their labels: ``max``, the highest class there is in a
            patch, or ``majority``, the one with most pixels; None: one folder.
        overwrite: replace patches of an earlier run.
        min_label_fraction: leave out patches of whose pixels a smaller share has a label other than the
            background, 0.
        skip_empty: leave out patches without any such label.
        alpha: what a band of the scene flagged as alpha is: ``auto``, ``mask`` or ``band``.
        keep_collar: padding along the scene's border stays valid.
    """

    patch: tuple[int, int] = (512, 512)
    overlap: tuple[int, int] = (0, 0)
    labels: Path | None = None
    sort_by: str | None = None
    overwrite: bool = False
    min_label_fraction: float = 0.0
    skip_empty: bool = False
    alpha: str = "auto"
    keep_collar: bool = False

    def __post_init__(self) -> None:
        if not 0.0 <= self.min_label_fraction <= 1.0:
            raise OptionError(f"min-label-fraction {self.min_label_fraction}", "use a share from 0 to 1")
        if (self.skip_empty or self.min_label_fraction) and self.labels is None:
            raise OptionError("patches are left out by their labels", "name a raster with --labels")
        if self.sort_by not in (None, *SORTS):
            raise OptionError(f"sort-by {self.sort_by!r}", f"use one of {', '.join(SORTS)}")
        if self.sort_by is not None and self.labels is None:
            raise OptionError("patches are sorted by their labels", "name a raster with --labels")


@dataclass(frozen=True, slots=True)
class TileResult:
    """What was cut.

    Attributes:
        index: GeoPackage with a footprint per patch, written last.
        patches: how many.
        per_class: patches per folder, where they were sorted.
        skipped: how many were left out for their labels.
        showing: patches in which each class occurs, where there are labels.
        warnings: what the user should know about the scene.
    """

    index: Path
    patches: int
    per_class: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    showing: dict[str, int] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MosaicOptions:
    """How patches are put together.

    Attributes:
        blend: average overlapping predictions (masks: vote) with tapered weights, in place of keeping pixels
            bit for bit.
        taper: ``hann``, ``linear`` or ``none``.
        threshold: make a mask of blended probabilities: from which a single band is class 1 (of several
            bands, the highest counts); None: they stay probabilities.
        overwrite: replace a file that is there.
    """

    blend: bool = False
    taper: str = "hann"
    threshold: float | None = None
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.threshold is not None and not (self.blend and 0.0 < self.threshold < 1.0):
            raise OptionError(
                f"threshold {self.threshold}", "use a probability between 0 and 1, together with --blend"
            )


@dataclass(frozen=True, slots=True)
class MosaicResult:
    """What was put together.

    Attributes:
        path: the raster.
        patches: how many.
        warnings: holes, and overlaps that did not agree.
    """

    path: Path
    patches: int
    warnings: tuple[str, ...] = ()


def count_tiles(scene_path: str | Path, options: TileOptions) -> int:
    """How many patches :func:`tile_scene` will write.

    Raises:
        SceneError: if the scene cannot be opened.
    """
    with open_scene(scene_path, expand_palette=False) as scene:
        return len(PatchGrid.over(scene.info.grid.size, options.patch, options.overlap))


def tile_scene(
    scene_path: str | Path,
    folder: Path,
    options: TileOptions | None = None,
    progress: Progress = lambda patches: None,
) -> TileResult:
    """Cut a scene into GeoTIFF patches that keep their transforms and together cover every pixel.

    Patches are named ``SCENE_rROW_cCOLUMN.tif``. With labels, they go to ``images`` and ``masks`` below the
    folder. An index, ``SCENE_tiles.gpkg``, is written last: its presence says that all patches are there.

    Args:
        scene_path: a raster.
        folder: where patches go; made where it is missing.
        options: None: all defaults.
        progress: told how many more patches are done.

    Raises:
        GeosegError: whatever the user can do something about.
    """
    options = options or TileOptions()
    with ExitStack() as opened:
        scene = opened.enter_context(open_scene(scene_path, expand_palette=False, alpha=options.alpha))
        if not options.keep_collar and not is_label_raster(scene):
            scene.leave_out_collar([b.index for b in scene.info.bands if b.colour != "alpha"])
        labels = None
        if options.labels is not None:
            labels = opened.enter_context(open_scene(options.labels, expand_palette=False))
            _check_labels(scene, labels)
        tiling = _Tiling(scene, labels, folder, options)
        for number in tiling.patches():
            progress(number)
        return tiling.finish()


class _Tiling:
    """One run of ``tile``."""

    def __init__(self, scene: Scene, labels: Scene | None, folder: Path, options: TileOptions) -> None:
        self._scene = scene
        self._labels = labels
        self._options = options
        self._folder = folder
        self._index = folder / f"{scene.info.name}_tiles.gpkg"
        make_folder(folder)
        check_name(self._index)
        remove_leftovers(folder)
        self._old = self._refuse_or_list_old()
        self._image_writer = PatchWriter(scene, options.overwrite)
        self._label_writer = PatchWriter(labels, options.overwrite) if labels else None
        self._classes = classes_of(labels.source.tags, labels.path) if labels else None
        self._rows: list[dict[str, Any]] = []
        self._written: set[Path] = set()
        self._skipped = 0
        self._showing: Counter[int] = Counter()

    def patches(self) -> Iterator[int]:
        """Write patch after patch; gives 1 for each."""
        size, overlap = self._options.patch, self._options.overlap
        if self._labels is None or self._label_writer is None:
            for image in cut_patches(self._scene, size, overlap):
                self._write(self._image_writer, self._path("", "", image.window), image)
                self._note(image, None)
                yield 1
            return
        for image, label in zip(
            cut_patches(self._scene, size, overlap), cut_patches(self._labels, size, overlap), strict=True
        ):
            values, counts = np.unique(label.pixels[0][label.valid], return_counts=True)
            if not self._has_enough(values, counts, label.valid.size):
                self._skipped += 1
                yield 1
                continue
            self._showing.update(values.tolist())
            name = _class_name(values, counts, self._options.sort_by, self._classes)
            self._write(self._image_writer, self._path("images", name or "", image.window), image)
            self._write(self._label_writer, self._path("masks", name or "", image.window), label)
            self._note(image, name)
            yield 1

    def _has_enough(self, values: NDArray[Any], counts: NDArray[Any], pixels: int) -> bool:
        """Whether a patch is labelled enough to be kept."""
        labelled = int(counts[values != 0].sum())
        least = self._options.min_label_fraction * pixels
        return labelled >= least and (labelled > 0 or not self._options.skip_empty)

    def finish(self) -> TileResult:
        """Remove patches of an earlier run that this one did not replace, and write the index."""
        if not self._rows:
            raise InputError(
                f"none of the {self._skipped} patches of {self._scene.path.name} has enough labels",
                "lower --min-label-fraction, leave out --skip-empty, or check the labels",
            )
        for path in self._old - self._written:
            with writing(path):
                path.unlink(missing_ok=True)
        columns = {key: [row[key] for row in self._rows] for key in self._rows[0]}
        rings = columns.pop("ring")
        write_index(self._index, rings, columns, self._scene.info.grid.crs, self._options.overwrite)
        names = [row["class"] for row in self._rows] if self._options.sort_by else []
        return TileResult(
            self._index,
            len(self._rows),
            {name: names.count(name) for name in sorted(set(names))},
            self._skipped,
            {self._name(value): count for value, count in sorted(self._showing.items())},
            self._warnings(),
        )

    def _warnings(self) -> tuple[str, ...]:
        collar, dtype = self._scene.collar, self._scene.info.dtype
        return (*self._scene.warnings, *([collar.in_words(dtype)] if collar else []))

    def _name(self, value: int) -> str:
        if self._classes is None or not 0 <= value < len(self._classes):
            return str(value)
        return self._classes[value].name

    def _refuse_or_list_old(self) -> set[Path]:
        pattern = re.compile(re.escape(self._scene.info.name) + r"_r\d+_c\d+\.tif")
        found_here = (path for place in PLACES for path in self._folder.glob(f"{place}*.tif"))
        old = {p for p in found_here if pattern.fullmatch(p.name) and not self._is_of_another_run(p)}
        found = sorted(old) + ([self._index] if self._index.exists() else [])
        if found and not self._options.overwrite:
            raise OutputError(f"{found[0]} exists", "use --overwrite, or another folder with -o")
        # from here on the patches change: an index says that they are all of one run
        with writing(self._index):
            self._index.unlink(missing_ok=True)
        return old

    def _is_of_another_run(self, path: Path) -> bool:
        """Whether a folder between this run's and the patch has an index of its own."""
        between = path.relative_to(self._folder).parents
        return any((self._folder / part / self._index.name).exists() for part in list(between)[:-1])

    def _path(self, kind: str, name: str, window: Window) -> Path:
        digits = len(str(max(self._scene.info.grid.size)))
        file = f"{self._scene.info.name}_r{window.row:0{digits}}_c{window.col:0{digits}}.tif"
        return self._folder / kind / name / file

    def _write(self, writer: PatchWriter, path: Path, patch: ScenePatch) -> None:
        if not path.parent.is_dir():
            make_folder(path.parent)
        writer.write(path, patch)
        self._written.add(path)

    def _note(self, patch: ScenePatch, name: str | None) -> None:
        window = patch.window
        path = self._path("images" if self._labels else "", name or "", window)
        grid = self._scene.info.grid
        corners = [
            (window.col, window.row),
            (window.stop_col, window.row),
            (window.stop_col, window.stop_row),
            (window.col, window.stop_row),
        ]
        row: dict[str, Any] = {
            "patch": path.relative_to(self._folder).as_posix(),
            "row": window.row,
            "col": window.col,
            "height": window.height,
            "width": window.width,
            "valid": round(float(patch.valid.mean()), 4),
            "ring": [grid.xy(*corner) for corner in corners],
        }
        self._rows.append(row | ({"class": name} if name is not None else {}))


def mosaic_tiles(
    folder: Path,
    target: Path,
    options: MosaicOptions | None = None,
    progress: Progress = lambda patches: None,
) -> MosaicResult:
    """Put patches back together on the grid that their transforms say.

    Without blending, pixels come back bit for bit; where patches overlap and differ, the first by row, then
    column, counts. With blending, overlapping predictions are averaged, tapered to the edges of each patch.

    Args:
        folder: holds the patches, also in subfolders.
        target: the raster to write, a cloud-optimised GeoTIFF.
        options: None: all defaults.
        progress: told how many more patches are done.

    Raises:
        GeosegError: whatever the user can do something about.
    """
    options = options or MosaicOptions()
    check_tiff(target)
    patches = find_patches(folder, target)
    make_folder(target.parent)
    remove_leftovers(target.parent)
    blending = Blending(options.taper, options.threshold) if options.blend else None
    conflicts = write_mosaic(patches, target, blending, options.overwrite, progress)
    warnings = []
    if patches.holes:
        warnings.append(f"{patches.holes:,} pixels lie in no patch: they are nodata")
    if conflicts:
        warnings.append(
            f"patches differ at {conflicts:,} pixels where they overlap: the first one counts "
            "(--blend averages predictions)"
        )
    return MosaicResult(target, len(patches.files), tuple(warnings))


def _check_labels(scene: Scene, labels: Scene) -> None:
    difference = grid_difference(labels.info.grid, scene.info.grid)
    if difference:
        raise InputError(
            f"{labels.path.name} does not lie on the grid of {scene.path.name}: {difference}",
            "bring it there with: gdalwarp -te ... -ts ... -r near",
        )
    if len(labels.info.bands) != 1 or np.dtype(labels.info.dtype).kind not in "iu":
        raise InputError(
            f"{labels.path.name}: {len(labels.info.bands)} bands of {labels.info.dtype} are no labels",
            "labels are one band of whole numbers",
        )


def _class_name(
    values: NDArray[Any], counts: NDArray[Any], sort_by: str | None, classes: ClassList | None
) -> str | None:
    """The folder of a patch that holds these values; None where patches are not sorted."""
    if sort_by is None:
        return None
    if not len(values):
        return "nodata"
    value = int(values[-1] if sort_by == "max" else values[counts.argmax()])
    if not classes or not 0 <= value < len(classes):
        return str(value)
    # the id keeps names apart that look alike once they are safe
    return re.sub(r"[^\w.-]+", "_", f"{value}_{classes[value].name}").rstrip(".")
