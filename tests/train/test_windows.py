"""Where patches come from."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from geoseg.core import Window
from geoseg.dataset.store import open_dataset
from geoseg.errors import InputError
from geoseg.train.augment import build_transform, tv_tensors
from geoseg.train.fingerprint import TrainingData, look_at
from geoseg.train.images import LabelledImages, Part
from geoseg.train.loaders import Share
from geoseg.train.recipe import Augment, Input, Network, Recipe, Sampling
from geoseg.train.samples import Tiles, TrainingSamples
from geoseg.train.show import draw_augmented
from geoseg.train.windows import WindowSampler, tiles_of
from tests.train.sets import rewrite, write_set

STILL = Augment(turns=False, zoom=0.0, tone=0.0, cast=0.0, colour=0.0, noise=0.0, blur=0.0)
PLAIN = Input(gain=(1.0,) * 3, bias=(0.0,) * 3)


def read(folder: Path) -> TrainingData:
    """A data set, looked at."""
    return look_at([open_dataset(folder)], lambda count: None)


def samples_of(data: TrainingData, recipe: Recipe) -> TrainingSamples:
    """Its training samples."""
    return TrainingSamples(data.train, WindowSampler(data.train, data.census, recipe), recipe)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> TrainingData:
    """Objects known apart."""
    return read(write_set(tmp_path_factory.mktemp("set"), objects=True))


def test_a_number_is_the_same_sample_everywhere(data: TrainingData) -> None:
    """In a copy that another process unpickles, in another order, after any others."""
    recipe = Recipe(network=Network(edges=True), sampling=Sampling(patch=64))
    first = samples_of(data, recipe)
    second = pickle.loads(pickle.dumps(first))
    torch.manual_seed(5)
    expected = {n: first[n] for n in (0, 7, 10**6)}
    for number in (10**6, 3, 0, 7):
        torch.rand(3)
        actual = second[number]
        if number in expected:
            assert all(torch.equal(expected[number][key], actual[key]) for key in actual)
    assert not torch.equal(first[0]["pixels"], first[1]["pixels"])


def test_drawing_samples_leaves_chance_elsewhere_alone(data: TrainingData) -> None:
    """The network's own generator goes on as if nothing had been."""
    samples = samples_of(data, Recipe(sampling=Sampling(patch=32)))
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    _ = samples[3]

    assert torch.equal(expected, torch.rand(2))


def test_still_samples_are_parts_of_images(data: TrainingData) -> None:
    """Pixels, classes and rims lie where they lay."""
    recipe = Recipe(input=PLAIN, augment=STILL, sampling=Sampling(patch=64))
    samples = samples_of(data, recipe)
    for number in range(20):
        place, sample = samples.place(number), samples[number]
        part = data.train.read(place.image, place.window)
        assert np.allclose(part.pixels, sample["pixels"].numpy(), atol=1e-3)
        assert np.array_equal(part.classes, sample["classes"].numpy())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_image_and_labels_move_together(data: TrainingData, number: int) -> None:
    """Bright stays object, whatever is turned and scaled; but for a seam of mixed pixels."""
    recipe = Recipe(
        network=Network(edges=True),
        input=Input(gain=(1 / 255,) * 3, bias=(0.0,) * 3, gsd_m=(0.35, 0.7)),
        augment=Augment(tone=0.0, cast=0.0, colour=0.0, noise=0.0, blur=0.0),
        sampling=Sampling(patch=64),
    )
    sample = samples_of(data, recipe)[number]
    known = sample["classes"] != 255
    bright = sample["pixels"].mean(0) > 0.34
    wrong = (bright != (sample["classes"] == 1)) & known

    assert wrong.float().mean() < 0.03
    assert not (sample["rim"].bool() & (sample["classes"] == 0)).any()


def test_rare_classes_are_sought(tmp_path: Path) -> None:
    """A class on one of 36 cells is in a third of the patches, not in one of 36."""
    folder = write_set(tmp_path, classes=3, size=(384, 384), images=3, valid=1)

    def rare(pixels: np.ndarray) -> np.ndarray:
        pixels[pixels == 2] = 0
        pixels[:, 10:30, 10:30] = 2
        return pixels

    for k in range(3):
        rewrite(folder / "masks" / f"p{k}.tif", rare)
    data = read(folder)
    counts = []
    for balance in (0.0, 1.0):
        recipe = Recipe(sampling=Sampling(patch=64, balance=balance), augment=STILL, input=PLAIN)
        samples = samples_of(data, recipe)
        counts.append(sum(bool((samples[n]["classes"] == 2).any()) for n in range(200)))

    assert counts[0] < 30
    assert counts[1] > 50


def test_nothing_is_learned_where_nothing_is_known(tmp_path: Path) -> None:
    """A blank image is told of and not drawn from; a set of blank ones is refused."""
    folder = write_set(tmp_path)
    rewrite(folder / "masks" / "p0.tif", lambda pixels: pixels * 0 + 255)
    data = read(folder)
    samples = samples_of(data, Recipe(sampling=Sampling(patch=32)))

    assert "p0" in data.warnings[0]
    assert "p0" not in {samples.stem(n) for n in range(100)}
    assert all((samples[n]["classes"] != 255).any() for n in range(30))
    for k in range(4):
        rewrite(folder / "masks" / f"p{k}.tif", lambda pixels: pixels * 0 + 255)
    with pytest.raises(InputError, match="every pixel of the training images is to be ignored"):
        read(folder)


def test_no_number_is_ignored(tmp_path: Path) -> None:
    """NaN pixels are no data: their labels do not count, and the network sees its zero there."""
    folder = write_set(tmp_path, dtype="float32")

    def holes(pixels: np.ndarray) -> np.ndarray:
        pixels[1, :40] = np.nan
        return pixels

    for k in range(6):
        rewrite(folder / "images" / f"p{k}.tif", holes)
    data = read(folder)
    sample = samples_of(data, Recipe(augment=STILL, input=PLAIN, sampling=Sampling(patch=96)))[1]

    assert bool(torch.isfinite(sample["pixels"]).all())
    assert bool((sample["classes"][:40] == 255).all())
    assert bool((sample["pixels"][:, :40] == 0).all())
    assert all(np.isfinite(data.fingerprint.mean))


@given(
    sizes=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=1, max_size=3),
    side=st.integers(1, 70),
)
def test_tiles_cover_every_pixel_once(sizes: list[tuple[int, int]], side: int) -> None:
    """Whatever the sizes."""
    images = LabelledImages([_item(k) for k in range(len(sizes))], 3, sizes)
    counts = [np.zeros((h + side, w + side), int) for h, w in sizes]
    for place in tiles_of(images, side, None):
        w = place.window
        counts[place.image][w.row : w.row + w.height, w.col : w.col + w.width] += 1

    for (height, width), count in zip(sizes, counts, strict=True):
        assert (count[:height, :width] == 1).all()


def _item(number: int):
    from geoseg.dataset.items import Item

    return Item(f"p{number}", Path("a"), Path("b"))


def test_tiles_answer_what_the_labels_say(data: TrainingData) -> None:
    """All known pixels of all validation images, class by class."""
    recipe = Recipe(sampling=Sampling(patch=64))
    tiles = Tiles(data.valid, tiles_of(data.valid, 40, None), 40, recipe)
    counts = torch.stack(
        [
            torch.bincount(t["classes"].flatten().long(), minlength=256)
            for t in map(tiles.__getitem__, range(len(tiles)))
        ]
    ).sum(0)

    assert list(data.fingerprint.valid_pixels) == counts[:2].tolist()


@given(
    row=st.integers(-30, 60), col=st.integers(-30, 60), height=st.integers(1, 60), width=st.integers(1, 60)
)
def test_a_crop_beyond_the_image_is_no_data(row: int, col: int, height: int, width: int) -> None:
    """And inside it is the image."""
    rng = np.random.default_rng(0)
    part = Part(rng.random((2, 40, 50)), np.ones((40, 50), bool), np.ones((40, 50), np.uint8), None)
    if row + height <= 0 or col + width <= 0 or row >= 40 or col >= 50:
        return
    found = part.crop(Window(row, col, height, width))

    assert found.valid.shape == (height, width)
    rows, cols = np.mgrid[row : row + height, col : col + width]
    inside = (rows >= 0) & (rows < 40) & (cols >= 0) & (cols < 50)
    assert np.array_equal(inside, found.valid)
    assert np.array_equal(inside, found.classes == 1)
    assert np.array_equal(part.pixels[:, rows[inside], cols[inside]], found.pixels[:, inside])


@pytest.mark.parametrize("bands", [1, 3, 5])
def test_light_changes_leave_labels_alone(bands: int) -> None:
    """Any number of bands; masks pass through."""
    everything = Augment(turns=False, band_drop=1.0, blur=1.0, noise=1.0)
    image = torch.rand(bands, 16, 16)
    mask = torch.randint(0, 4, (3, 16, 16), dtype=torch.uint8)
    changed, same = build_transform(everything, bands)(tv_tensors.Image(image), tv_tensors.Mask(mask))

    assert torch.equal(mask, same)
    assert not torch.equal(image, changed)
    assert bool(torch.isfinite(changed).all())


def test_turns_reach_all_eight() -> None:
    """And no other arrangement."""
    transform = build_transform(Augment(tone=0, cast=0, colour=0, noise=0, blur=0), 3)
    image = torch.arange(27.0).reshape(3, 3, 3)
    expected = {
        tuple(torch.rot90(m, k, (-2, -1)).flatten().tolist())
        for k in range(4)
        for m in (image, image.flip(-1))
    }
    actual = {
        tuple(transform(tv_tensors.Image(image), tv_tensors.Mask(image[0]))[0].flatten().tolist())
        for _ in range(300)
    }

    assert expected == actual


def test_samples_are_drawn(tmp_path: Path) -> None:
    """A sheet of patches, with a colour for the class."""
    folder = write_set(tmp_path / "set", objects=True)
    picture = np.asarray(draw_augmented(folder, 8))
    side = picture.shape[1] // 6

    assert (2 * side, 6 * side, 3) == picture.shape
    red = picture[..., 0].astype(int) - picture[..., 2]
    assert (red > 40).mean() > 0.02


def test_classes_of_few_pixels_are_sought(tmp_path: Path) -> None:
    """Cars and the like: no cell holds many of their pixels."""
    folder = write_set(tmp_path, size=(384, 384), images=3, valid=1)

    def few(pixels: np.ndarray) -> np.ndarray:
        pixels[:] = 0
        pixels[:, 20:24, 20:26] = 1
        return pixels

    for k in range(3):
        rewrite(folder / "masks" / f"p{k}.tif", few)
    recipe = Recipe(sampling=Sampling(patch=64, balance=1.0), augment=STILL, input=PLAIN)
    samples = samples_of(read(folder), recipe)

    assert sum(bool((samples[n]["classes"] == 1).any()) for n in range(100)) > 25


def test_devices_have_as_many_tiles(data: TrainingData) -> None:
    """Where they do not go round, one more that counts nothing."""
    tiles = Tiles(data.valid, tiles_of(data.valid, 64, None)[:5], 64, Recipe())
    shares = [Share(tiles, rank, 2) for rank in range(2)]
    seen = [[share[k] for k in range(len(share))] for share in shares]

    assert [len(share) for share in shares] == [3, 3]
    assert (seen[1][2]["classes"] == 255).all()
    known = sum(int((sample["classes"] != 255).sum()) for share in seen for sample in share)
    assert known == sum(int((tiles[k]["classes"] != 255).sum()) for k in range(5))
