"""What rasters of labels mean to vectorize and evaluate: colours, palettes, bands, values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoseg.errors import OptionError, SceneError
from geoseg.evaluate.options import EvaluateOptions, SceneFiles
from geoseg.evaluate.run import Evaluation, evaluate
from geoseg.pipeline.vectorize import VectorizeListener, VectorizeOptions, vectorize
from geoseg.raster.label_values import colour_value
from geoseg.raster.labelling import ValueOptions
from tests.evaluate.files import write_raster
from tests.vector.files import PLAIN, read

RED, GREEN, YELLOW, BLACK, WHITE = (
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (0, 0, 0),
    (255, 255, 255),
)


def classes(size: tuple[int, int] = (60, 90)) -> np.ndarray[Any, Any]:
    """Three squares of 20 x 20 px on 0; 1 and 2 touch."""
    ids = np.zeros(size, np.uint8)
    ids[10:30, 10:30], ids[10:30, 30:50], ids[35:55, 60:80] = 1, 2, 3
    return ids


def coloured(path: Path, ids: Any, *colours: tuple[int, ...], **profile: Any) -> Path:
    """Write a mask in colours, one for each id from 0 on."""
    pixels = np.moveaxis(np.array(colours, np.uint8)[ids], -1, 0)
    return write_raster(path, pixels, **({"photometric": "RGB"} | profile))


def paletted(path: Path, ids: Any, *colours: tuple[int, int, int]) -> Path:
    """Write a PNG with a palette."""
    image = Image.fromarray(ids)
    image.putpalette([part for colour in colours for part in colour])
    image.save(path)
    return path


def traced(raster: Path, **values: Any) -> tuple[dict[str, float], list[str]]:
    """Area in pixels of each class that vectorize finds, and what it says."""
    told: list[str] = []
    options, target = (
        VectorizeOptions(ValueOptions(**values), PLAIN, overwrite=True),
        raster.with_suffix(".fgb"),
    )
    vectorize(raster, [target], options, VectorizeListener(told.append))
    frame = read(target)
    if not len(frame):
        return {}, told
    pixel = 1 if frame.crs is None else 0.25
    areas = frame.geometry.area.groupby(frame["class"]).sum() / pixel
    return {str(name): round(float(area)) for name, area in areas.items()}, told


def compared(guess: Path, against: Path, /, **options: Any) -> Evaluation:
    """Compare two rasters."""
    return evaluate([SceneFiles("scene", guess, against)], EvaluateOptions(resamples=0, **options))


def accuracy(found: Evaluation) -> float:
    """Share of pixels that are right."""
    assert found.pixels is not None
    return found.pixels.pooled.accuracy


def test_each_colour_is_a_class(tmp_path: Path) -> None:
    """Touching ones apart; black is the background; one line says so and how to name them."""
    mask = coloured(tmp_path / "m.tif", classes(), BLACK, RED, YELLOW, GREEN)
    areas, told = traced(mask)

    assert areas == {"#FF0000": 400, "#FFFF00": 400, "#00FF00": 400}
    assert (
        "colours: each is a class: #00FF00, #FF0000, #FFFF00; black is the background; "
        "--value '#00FF00=building' names a class"
    ) in told


def test_colours_have_names(tmp_path: Path) -> None:
    """Those that are named are classes, all others background."""
    mask = coloured(tmp_path / "m.tif", classes(), BLACK, RED, YELLOW, GREEN)

    assert traced(mask, values=((colour_value(*RED), "roof"),))[0] == {"roof": 400}
    with pytest.raises(OptionError, match=r"--value 255: m\.tif is a mask in colours"):
        traced(mask, values=((255, "roof"),))
    with pytest.raises(OptionError, match=r"--threshold: m\.tif is a mask in colours"):
        traced(mask, threshold=128)
    assert traced(mask, band=1)[0] == {"class 255": 800}


@pytest.mark.parametrize("nodata", [None, 0])
def test_a_band_of_nodata_is_no_pixel_of_nodata(tmp_path: Path, nodata: int | None) -> None:
    """Green has no red: where 0 is declared as no data, that means all three bands."""
    mask = coloured(tmp_path / "m.tif", classes(), BLACK, RED, YELLOW, GREEN, nodata=nodata)
    plain = write_raster(tmp_path / "p.tif", (classes() == 3).astype(np.uint8))

    assert traced(mask)[0] == {"#FF0000": 400, "#FFFF00": 400, "#00FF00": 400}
    green = ValueOptions(values=((colour_value(*GREEN), "class 1"),))
    assert accuracy(compared(plain, mask, truth=green)) == 1


def test_transparent_pixels_have_no_data(tmp_path: Path) -> None:
    """A fourth band that is alpha is no colour."""
    opaque = ((*BLACK, 0), (*RED, 255), (*YELLOW, 255), (*GREEN, 255))
    mask = coloured(tmp_path / "m.tif", classes(), *opaque, alpha="YES")

    assert traced(mask)[0] == {"#FF0000": 400, "#FFFF00": 400, "#00FF00": 400}


def test_grey_in_three_bands_is_one_band(tmp_path: Path) -> None:
    """As pictures of masks are often saved."""
    mask = coloured(tmp_path / "m.tif", classes(), BLACK, WHITE, BLACK, WHITE)
    areas, told = traced(mask)

    assert areas == {"class 255": 800}
    assert "its three bands are alike; values: 255 = class 255" in told
    assert traced(mask, threshold=128)[0] == {"object": 800}


def test_a_photograph_is_no_mask_in_colours(tmp_path: Path) -> None:
    """The ways on are named."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 60, 60), dtype=np.uint8)
    photograph = write_raster(tmp_path / "p.tif", noise, photometric="RGB")

    with pytest.raises(
        SceneError, match=r"more than 250 colours.*--value '#RRGGBB=building'.*--band.*palette"
    ):
        traced(photograph)


@pytest.mark.parametrize(("count", "dtype"), [(2, "uint8"), (5, "uint8"), (3, "uint16"), (3, "float32")])
def test_several_bands_are_asked_for(tmp_path: Path, count: int, dtype: str) -> None:
    """Stacks of classes or scores are no single band; the options of either side are named."""
    bands = np.stack([classes() == i % 3 for i in range(count)]).astype(dtype)
    stack = write_raster(tmp_path / "s.tif", bands, photometric="MINISBLACK")
    plain = write_raster(tmp_path / "p.tif", classes())

    with pytest.raises(SceneError, match=rf"s\.tif: has {count} bands .*--band 1"):
        traced(stack)
    with pytest.raises(SceneError, match=rf"s\.tif: has {count} bands .*--truth-band 1"):
        compared(plain, stack)
    cut = {"threshold": 0.5} if dtype == "float32" else {}
    assert list(traced(stack, band=2, **cut)[0].values()) == [400]


def test_a_palette_has_colours(tmp_path: Path) -> None:
    """Its classes are numbers with a colour; where 0 is not black, the line says what the background is."""
    ids = classes()
    usual = paletted(tmp_path / "usual.png", ids, BLACK, RED, YELLOW, GREEN)
    shuffled = paletted(
        tmp_path / "shuffled.png", np.array([2, 0, 1, 3], np.uint8)[ids], RED, YELLOW, BLACK, GREEN
    )
    white = paletted(tmp_path / "white.png", ids, WHITE, RED, YELLOW, GREEN)

    areas, told = traced(usual)
    assert areas == {"class 1": 400, "class 2": 400, "class 3": 400}
    assert "values: 1 = class 1 (#FF0000), 2 = class 2 (#FFFF00), 3 = class 3 (#00FF00)" in told
    areas, told = traced(shuffled)
    assert areas == {"class 0": 400, "class 1": 400, "class 3": 400}
    assert any("; 2 (#000000) is the background" in line for line in told)
    assert any("; 0 (#FFFFFF) is the background" in line for line in traced(white)[1])
    assert traced(white, values=((colour_value(*RED), "roof"),))[0] == {"roof": 400}
    with pytest.raises(OptionError, match=r"white\.png has no such colour"):
        traced(white, values=((colour_value(1, 2, 3), "roof"),))


def test_palettes_meet_by_colour(tmp_path: Path) -> None:
    """However their numbers are shuffled; a mask in colours too."""
    ids = classes()
    guess = paletted(tmp_path / "guess.png", ids, BLACK, RED, YELLOW, GREEN)
    shuffled = np.array([0, 3, 1, 2], np.uint8)[ids]
    truths = [
        paletted(tmp_path / "truth.png", shuffled, BLACK, YELLOW, GREEN, RED),
        coloured(tmp_path / "truth.tif", ids, BLACK, RED, YELLOW, GREEN),
    ]
    for truth in truths:
        found = compared(guess, truth)
        assert accuracy(found) == 1
        assert f"classes of guess.png and {truth.name} are matched by colour" in found.scenes[0].notes
    other = paletted(tmp_path / "other.png", ids, BLACK, (1, 1, 1), (2, 2, 2), (3, 3, 3))
    found = compared(guess, other)
    assert accuracy(found) == 1
    assert any("have no colour in common: numbers are compared" in note for note in found.scenes[0].notes)
    numbers = write_raster(tmp_path / "numbers.tif", ids)
    found = compared(numbers, guess)
    assert accuracy(found) == 1
    assert (
        "numbers of the palette of guess.png are compared with those of numbers.tif" in found.scenes[0].notes
    )


def test_numbers_and_one_colour_are_one_class(tmp_path: Path) -> None:
    """0/255 and green on black mean the same."""
    ids = (classes() == 3).astype(np.uint8)
    guess = write_raster(tmp_path / "guess.tif", ids * np.uint8(255))
    truth = coloured(tmp_path / "truth.tif", ids, BLACK, GREEN)
    found = compared(guess, truth)

    assert accuracy(found) == 1
    assert "class 255 in guess.tif is compared with #00FF00 in truth.tif" in found.scenes[0].notes


def test_a_set_of_masks_in_colours(tmp_path: Path) -> None:
    """A black and white tile of such a set is in colours too; a class that a tile lacks is a class."""
    tiles = {"a": classes(), "b": np.where(classes() > 0, 4, 0), "c": np.zeros((60, 90), np.uint8)}
    scenes = []
    for name, ids in tiles.items():
        paths = [
            coloured(tmp_path / f"{side}_{name}.tif", ids, BLACK, RED, YELLOW, GREEN, WHITE) for side in "pt"
        ]
        scenes.append(SceneFiles(name, *paths))
    found = evaluate(scenes, EvaluateOptions(resamples=0))

    assert {c.name for c in found.classes} == {"background", "#FF0000", "#FFFF00", "#00FF00", "#FFFFFF"}
    assert accuracy(found) == 1


def test_a_mask_that_was_saved_as_jpeg(tmp_path: Path) -> None:
    """Values near 0 and 255 are two classes, not forty; one line says so."""
    mask = (classes() > 0).astype(np.uint8) * np.uint8(255)
    Image.fromarray(np.kron(mask, np.ones((2, 2), np.uint8))).save(tmp_path / "m.jpg", quality=95)
    areas, told = traced(tmp_path / "m.jpg")

    assert areas == {"object": 4800}
    assert "values are near 0 or near 255, as JPEG leaves them: from 128 on = object" in told


@pytest.mark.parametrize(("ground", "top"), [(1, 255), (0, 254), (2, 250)])
def test_a_jpeg_mask_that_is_even(tmp_path: Path, ground: int, top: int) -> None:
    """A strong compression may shift all of the background, or of the objects, by the same few levels."""
    mask = np.kron(np.where(classes() > 0, top, ground), np.ones((8, 8))).astype(np.uint8)
    Image.fromarray(mask).save(tmp_path / "m.jpg", quality=100)
    assert set(np.unique(np.asarray(Image.open(tmp_path / "m.jpg")))) == {ground, top}
    areas, told = traced(tmp_path / "m.jpg")

    assert areas == {"object": (mask > 128).sum()}
    assert "values are near 0 or near 255, as JPEG leaves them: from 128 on = object" in told


def test_masks_in_a_tiff_that_was_compressed_with_loss(tmp_path: Path) -> None:
    """Values farther from 0 and 255 are two classes there too; those of several classes are refused."""
    mask = np.kron((classes() > 0).astype(np.uint8) * np.uint8(255), np.ones((2, 2), np.uint8))
    lossy = {"compress": "jpeg", "jpeg_quality": 40}
    areas, told = traced(write_raster(tmp_path / "m.tif", mask, **lossy))

    assert areas.keys() == {"object"}
    assert areas["object"] == pytest.approx((mask > 0).sum(), rel=0.03)
    assert "values are near 0 or near 255, as JPEG leaves them: from 128 on = object" in told
    many = np.kron(classes() * np.uint8(60), np.ones((2, 2), np.uint8))
    with pytest.raises(SceneError, match=r"compression with loss.*--threshold 128"):
        traced(write_raster(tmp_path / "n.tif", many, **lossy))


def test_few_values_near_both_ends_are_classes(tmp_path: Path) -> None:
    """In a lossless file 1, 2 and 250 are three classes; the blur that a picture once had is none."""
    ids = np.where(classes() == 3, 250, classes()).astype(np.uint8)
    areas, told = traced(write_raster(tmp_path / "m.tif", ids))

    assert areas == {
        "class 1": (ids == 1).sum(),
        "class 2": (ids == 2).sum(),
        "class 250": (ids == 250).sum(),
    }
    assert "values: 1 = class 1, 2 = class 2, 250 = class 250" in told
    blurred = np.kron((ids > 0) * np.uint8(255), np.ones((2, 2), np.uint8))
    blurred[0, :6], blurred[1, :6] = np.arange(6), np.arange(250, 256)
    told = traced(write_raster(tmp_path / "b.tif", blurred))[1]

    assert "values are near 0 or near 255, as JPEG leaves them: from 128 on = object" in told


def test_many_values_may_be_scores(tmp_path: Path) -> None:
    """Percent and grey levels are taken for classes, and the line says how they are cut."""
    percent = np.tile(np.arange(100, dtype=np.uint8), (10, 1))
    told = traced(write_raster(tmp_path / "m.tif", percent))[1]

    assert any("99 values: if they are scores, cut them with --threshold" in line for line in told)


def test_a_probability_for_whole_numbers(tmp_path: Path) -> None:
    """Half is more than any value but 0, which the line says."""
    told = traced(write_raster(tmp_path / "m.tif", classes()), threshold=0.5)[1]

    assert any("all but 0: half of 255 is --threshold 128" in line for line in told)


def test_a_class_that_is_declared_as_no_data(tmp_path: Path) -> None:
    """The usual object is refused; of another value the line says how it counts."""
    ids = (classes() == 3).astype(np.uint8)
    with pytest.raises(SceneError, match=r"declared as no data.*--value 1=building"):
        traced(write_raster(tmp_path / "one.tif", ids, nodata=1))
    areas, told = traced(write_raster(tmp_path / "m.tif", ids * np.uint8(255), nodata=255))

    assert areas == {}
    assert any("if it is a class, --value 255=NAME counts it" in line for line in told)


def test_alpha_of_a_mask_in_colours(tmp_path: Path) -> None:
    """Soft edges of a drawing make an alpha band of many values: a band until --alpha says otherwise."""
    ids = classes()
    soft = np.where(ids > 0, 255, 128 + np.arange(90) % 64).astype(np.uint8)
    pixels = np.concatenate(
        [np.moveaxis(np.array([BLACK, RED, GREEN, YELLOW], np.uint8)[ids], -1, 0), soft[None]]
    )
    mask = write_raster(tmp_path / "rgba.tif", pixels, photometric="RGB", alpha="YES")
    with pytest.raises(SceneError, match="has 4 bands"):
        vectorize(mask, [tmp_path / "a.gpkg"], VectorizeOptions(vectors=PLAIN))
    options = ValueOptions(alpha="mask")
    (output, *_) = vectorize(mask, [tmp_path / "b.gpkg"], VectorizeOptions(options, PLAIN))
    assert {"#FF0000", "#00FF00", "#FFFF00"} == set(read(output.path)["class"])

    truth = write_raster(tmp_path / "truth.tif", ids)
    files = [SceneFiles("a", mask, truth)]
    with pytest.raises(SceneError, match="has 4 bands"):
        evaluate(files)
    names = tuple((colour_value(*c), f"class {i}") for i, c in enumerate((RED, GREEN, YELLOW), 1))
    told = EvaluateOptions(ValueOptions(values=names, alpha="mask"), ValueOptions(alpha="mask"))
    found = evaluate(files, told)
    assert found.pixels is not None
    assert [1.0] * 4 == [found.pixels.pooled.iou(label) for label in range(4)]
