"""A prediction and its truth on one grid, read together from top to bottom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from geoseg.core import NODATA, ClassList, GeoGrid, Window
from geoseg.errors import OptionError, SceneError
from geoseg.evaluate.classes import Matched, match_classes, score_channels
from geoseg.evaluate.find import is_vector
from geoseg.evaluate.layers import OutlineLayer, OutlineRows, RasterLayer, read_outlines
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.places import lies_beside
from geoseg.raster.aoi import Aoi
from geoseg.raster.georef import grid_difference
from geoseg.raster.labelling import ValueOptions
from geoseg.raster.scene import Scene, open_scene

PIXELS_AT_ONCE = 4_000_000
NO_SCORES: npt.NDArray[np.uint8] = np.zeros((0, 0, 0), np.uint8)

Labels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Piece:
    """Some whole rows of a comparison.

    Attributes:
        first_row: of the arrays.
        prediction: (rows, width) class ids, 255 without data and where the truth is not known.
        truth: (rows, width) class ids, 255 where nothing counts.
        scores: (channels, rows, width) levels 0-250, 255 without data; no channels: no scores.
        ignored: (rows, width) where a raster of the truth knows nothing; None where it is of outlines.
    """

    first_row: int
    prediction: Labels
    truth: Labels
    scores: Labels
    ignored: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class ComparedPair:
    """A prediction and its truth.

    Attributes:
        files: where they are from.
        grid: on which pixels are compared; None where both are outlines without a scene.
        crs: of the outlines, as WKT; None: pixels.
        prediction: as it was found.
        truth: likewise.
        matched: which class is which.
        scores: probabilities, or None.
        channels: of the probabilities that are compared; none without.
        notes: what the user should know.
    """

    files: SceneFiles
    grid: GeoGrid | None
    crs: str | None
    prediction: RasterLayer | OutlineLayer
    truth: RasterLayer | OutlineLayer
    matched: Matched
    scores: RasterLayer | None
    channels: tuple[int, ...]
    notes: tuple[str, ...]

    @property
    def classes(self) -> ClassList:
        """Those that are compared."""
        return self.matched.classes

    def pieces(self, rows_at_once: int = 0) -> Iterator[Piece]:
        """The whole of both, from top to bottom; the same however many rows come at once.

        Args:
            rows_at_once: 0: as many as are read well.
        """
        grid = self.grid
        assert grid is not None
        guess = self._reader(self.prediction, self.matched.prediction, grid)
        true = self._reader(self.truth, self.matched.truth, grid)
        inside = Aoi(self.files.aoi, grid) if self.files.aoi else None
        rows = rows_at_once or self._good_rows(grid)
        for row in range(0, grid.height, rows):
            window = Window(row, 0, min(rows, grid.height - row), grid.width)
            truth, _ = true(window)
            prediction, scores = guess(window)
            if self.scores is not None and self.scores is not self.prediction:
                scores = self.scores.read(window, ())[1]
            ignored = truth == NODATA if isinstance(self.truth, RasterLayer) else None
            if inside is not None:
                truth = np.where(inside.rows(row, window.stop_row), truth, np.uint8(NODATA))
            prediction = np.where(truth == NODATA, np.uint8(NODATA), prediction)
            own = scores[list(self.channels)] if self.channels else NO_SCORES
            yield Piece(row, prediction, truth, own, ignored)

    @staticmethod
    def _reader(layer: RasterLayer | OutlineLayer, ids: tuple[int, ...], grid: GeoGrid) -> _Reader:
        if isinstance(layer, RasterLayer):
            return _Reader(layer, ids, None)
        burned = np.array(ids, np.int64)[layer.owner]
        compared = burned > 0  # an outline of another class hides nothing of one that lies under it
        return _Reader(None, ids, OutlineRows(layer.geometry[compared], burned[compared], grid))

    def _good_rows(self, grid: GeoGrid) -> int:
        layers = [layer for layer in (self.prediction, self.truth) if isinstance(layer, RasterLayer)]
        block = max((layer.scene.source.block_rows for layer in layers), default=1)
        return max(1, PIXELS_AT_ONCE // grid.width // block) * block


@dataclass(frozen=True, slots=True)
class _Reader:
    """Rows of one side, whatever it is."""

    raster: RasterLayer | None
    ids: tuple[int, ...]
    burner: OutlineRows | None

    def __call__(self, window: Window) -> tuple[Labels, Labels]:
        if self.raster is not None:
            return self.raster.read(window, self.ids)
        assert self.burner is not None
        return self.burner.rows(window.row, window.stop_row), NO_SCORES


@contextmanager
def open_pair(files: SceneFiles, options: EvaluateOptions) -> Iterator[ComparedPair]:
    """Open a prediction and its truth and find out what they are.

    Args:
        files: of the scene.
        options: what the user said about them.

    Yields:
        The pair.

    Raises:
        InputError: if they cannot be read or compared; says why and what to do.
    """
    with ExitStack() as stack:
        guess = _open(files.prediction, options.prediction, stack)
        true = _open(files.truth, _of_truth(options.truth), stack)
        if true is not None:
            true.count_zero()
        image = stack.enter_context(open_scene(files.image)) if files.image else None
        grid = _common_grid(guess, true, image)
        truth = true or read_outlines(files.truth, grid.crs if grid else None, files.layers.truth)
        crs = grid.crs if grid else getattr(truth, "crs", None)
        prediction = guess or read_outlines(files.prediction, crs, files.layers.prediction)
        scores = _scores(files, guess, grid, options, stack)
        matched = match_classes(prediction.side, truth.side, options.only)
        channels = score_channels(prediction.side, matched, scores.side, scores.channels) if scores else ()
        if files.aoi and grid is not None and not Aoi(files.aoi, grid).meets_grid():
            raise OptionError(
                f"the area of interest lies outside of {files.prediction.name}",
                "check its coordinates and its CRS; --bbox is in the CRS of the prediction's grid",
            )
        notes = [*_told(prediction), *_told(truth), *filter(None, [matched.told])]
        if isinstance(truth, OutlineLayer) and grid is not None and lies_beside(truth, grid):
            notes.append(
                f"no outline of {files.truth.name} lies on {files.prediction.name}: no objects there"
            )
        yield ComparedPair(files, grid, crs, prediction, truth, matched, scores, channels, tuple(notes))


def _open(path: Path, values: ValueOptions, stack: ExitStack) -> RasterLayer | None:
    if is_vector(path):
        if values.threshold is not None or values.values:
            raise OptionError(
                f"{path.name} holds outlines, which have no values", "leave out --threshold and --value"
            )
        return None
    scene = stack.enter_context(open_scene(path, expand_palette=False, alpha=values.alpha))
    layer = RasterLayer(scene, values)
    if scene.info.nodata == 1 and layer.labelling.values and not (layer.side.named or values.values):
        raise SceneError(
            f"{path}: the value 1, which means the object in most masks, is declared as no data",
            f"name it if it does: {values.prefix}value 1=building; or take the declaration out of the file",
        )
    return layer


def _of_truth(values: ValueOptions) -> ValueOptions:
    return replace(values, prefix="--truth-")


def _common_grid(guess: RasterLayer | None, true: RasterLayer | None, image: Scene | None) -> GeoGrid | None:
    reference = guess or true
    if reference is None:
        return image.info.grid if image else None
    grid = reference.scene.info.grid
    others = ([true.scene] if guess and true else []) + ([image] if image else [])
    for other in others:
        _check_grid(other, grid, reference.scene.path)
    return grid


def _check_grid(scene: Scene, grid: GeoGrid, reference: Path) -> None:
    difference = grid_difference(scene.info.grid, grid)
    if difference:
        raise SceneError(
            f"{scene.path.name} does not lie on the grid of {reference.name}: {difference}",
            "bring it there with gdalwarp -te ... -ts ... -r near; outlines are drawn onto any grid",
        )


def _scores(
    files: SceneFiles,
    guess: RasterLayer | None,
    grid: GeoGrid | None,
    options: EvaluateOptions,
    stack: ExitStack,
) -> RasterLayer | None:
    if files.probabilities is None:
        return guess if guess is not None and guess.has_scores else None
    scene = stack.enter_context(open_scene(files.probabilities, expand_palette=False))
    layer = RasterLayer(scene, ValueOptions(threshold=options.prediction.threshold))
    if not layer.has_scores:
        raise SceneError(
            f"{files.probabilities}: holds no probabilities", "geoseg infer --probabilities writes them"
        )
    if grid is not None:
        _check_grid(scene, grid, files.prediction)
    return layer


def read_own_outlines(pair: ComparedPair) -> OutlineLayer | None:
    """The outlines that were made of the prediction, where the prediction is a mask and has them."""
    if pair.files.polygons is None:
        return None
    return read_outlines(pair.files.polygons, pair.crs, pair.files.layers.prediction)


def shared_values(scenes: Sequence[SceneFiles], options: EvaluateOptions) -> EvaluateOptions:
    """Options by which values without names mean the same in all scenes.

    A tile without buildings holds no 255, and a class that a tile lacks is a class all the same.

    Raises:
        InputError: if a file cannot be read.
    """
    prediction = _found_in([files.prediction for files in scenes], options.prediction)
    return replace(
        options,
        prediction=prediction,
        truth=_found_in([files.truth for files in scenes], _of_truth(options.truth)),
    )


def _found_in(paths: Sequence[Path], values: ValueOptions) -> ValueOptions:
    if values.values or values.threshold is not None:
        return values
    found: set[int] = set()
    for path in dict.fromkeys(paths):
        if not is_vector(path):
            with open_scene(path, expand_palette=False, alpha=values.alpha) as scene:
                layer = RasterLayer(scene, values)
            found.update(layer.labelling.found or ())
    return replace(values, found=tuple(sorted(found)))


def _told(layer: RasterLayer | OutlineLayer) -> tuple[str, ...]:
    if isinstance(layer, OutlineLayer):
        return layer.notes
    return (*layer.scene.warnings, f"{layer.scene.path.name}: {layer.labelling.told}")
