"""Masks of other tools: colours and values, what fits and what does not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from geoseg.core import NODATA, ClassList, LabelClass, Window
from geoseg.core.orientation import Orientation
from geoseg.dataset.annotated import Target
from geoseg.dataset.classlists import ClassTable, ListedClass, parse_class, read_class_list, write_class_list
from geoseg.dataset.colours import write_colours
from geoseg.dataset.items import DataSource
from geoseg.dataset.label_map import MaskOptions, usual_tolerance
from geoseg.dataset.maskset import MaskPlaces, check_masks, prepare_masks
from geoseg.dataset.palette import Palette, from_one_hot, to_colours, to_ids, to_one_hot
from geoseg.dataset.store import DataSet, open_dataset, read_labels
from geoseg.errors import InputError, OptionError, OutputError
from geoseg.raster import Scene
from tests.scenes import write_scene

RED, BLUE, GREY = (255, 0, 0), (0, 0, 255), (128, 128, 128)
COLOURED = np.array([[RED, RED, BLUE], [BLUE, GREY, GREY]], np.uint8)
DUBAI = "Water=#E2A929 Land=#8429F6 Road=110,193,228 Building=#3C1098 Vegetation=#FEDD3A Unlabeled=#9B9B9B"
DUBAI_PIXELS = [0, 1738258, 6787220, 2008355, 3922184, 924709, 97777]


def table(*classes: str) -> ClassTable:
    """A list of classes, each as on the command line."""
    return ClassTable(tuple(parse_class(text) for text in classes), "the list")


def folder_of(folder: Path, masks: dict[str, Any], save: Callable[[Path, Any], None] | None = None) -> Path:
    """Images and these masks below a folder."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for stem, mask in masks.items():
        Image.fromarray(np.full((*np.shape(mask)[:2], 3), 77, np.uint8)).save(
            folder / "images" / f"{stem}.png"
        )
        if save:
            save(folder / "masks" / stem, mask)
        else:
            Image.fromarray(np.asarray(mask, np.uint8)).save(folder / "masks" / f"{stem}.png")
    return folder


def prepare(places: MaskPlaces, listed: ClassTable | None, target: Path, **options: Any) -> DataSet:
    """The data set of a folder."""
    masks = check_masks(places, listed, MaskOptions(**options))
    return prepare_masks(masks, Target(target, DataSource("test")))


def only_mask(dataset: DataSet) -> list[list[int]]:
    """The labels of the one image."""
    (item,) = dataset.items
    labels: list[list[int]] = read_labels(item).mask.tolist()
    return labels


def as_rgba(path: Path, mask: Any) -> None:
    """RGBA whose first pixel is transparent."""
    alpha = np.full(mask.shape[:2], 255, np.uint8)
    alpha[0, 0] = 0
    Image.fromarray(np.dstack([mask, alpha])).save(path.with_suffix(".png"))


def as_indexed(path: Path, mask: Any) -> None:
    """A colour table of 17 and more."""
    picture = Image.fromarray(mask).quantize(3, dither=Image.Dither.NONE)
    picture.save(path.with_suffix(".png"))


def as_jpeg(path: Path, mask: Any) -> None:
    """Compressed with losses, 20 pixels for each."""
    large = np.kron(mask, np.ones((20, 20, 1), np.uint8))
    Image.fromarray(large).save(path.with_suffix(".jpg"), quality=95, subsampling=0)
    noise = np.random.default_rng(0).integers(20, 200, large.shape).astype(np.uint8)  # flat black is a collar
    Image.fromarray(noise).save(path.parents[1] / "images" / f"{path.name}.png")


@pytest.mark.parametrize("save", [None, as_rgba, as_indexed])
def test_colours_become_ids(tmp_path: Path, save: Any) -> None:
    """RGB, RGBA (transparent is ignored) and masks with a colour table; a background comes first."""
    folder = folder_of(tmp_path, {"a": COLOURED}, save)
    dataset = prepare(
        MaskPlaces(folder), table("red=#FF0000", "blue=0,0,255", "grey=#808080"), tmp_path / "set"
    )
    first = NODATA if save is as_rgba else 1

    assert ["background", "red", "blue", "grey"] == [c.name for c in dataset.classes]
    assert [[first, 1, 2], [2, 3, 3]] == only_mask(dataset)


def test_a_background_that_is_listed_is_class_0(tmp_path: Path) -> None:
    """Wherever it stands in the list; numbers in the list win over its order."""
    folder = folder_of(tmp_path, {"a": COLOURED})
    listed = table("red=#FF0000", "Background=#808080", "blue=#0000FF")
    (tmp_path / "list.csv").write_text("id,name,r,g,b\n2,red,255,0,0\n0,grey,128,128,128\n1,blue,0,0,255\n")

    assert [[1, 1, 2], [2, 0, 0]] == only_mask(prepare(MaskPlaces(folder), listed, tmp_path / "1"))
    numbered = read_class_list(tmp_path / "list.csv")
    assert [[2, 2, 1], [1, 0, 0]] == only_mask(prepare(MaskPlaces(folder), numbered, tmp_path / "2"))


def test_colours_of_no_class(tmp_path: Path) -> None:
    """Counted, shown and refused; or ignored, or background."""
    places = MaskPlaces(folder_of(tmp_path, {"a": COLOURED}))
    listed = table("red=#FF0000", "green=#00FF00")
    with pytest.raises(InputError) as told:
        prepare(places, listed, tmp_path / "set")

    assert "the list does not fit the masks" in str(told.value)
    assert "#0000FF (2 px), #808080 (2 px); none holds green #00FF00" in str(told.value)
    assert not (tmp_path / "set").exists()
    ignored = prepare(places, listed, tmp_path / "1", unknown="ignore")
    assert [[1, 1, NODATA], [NODATA] * 3] == only_mask(ignored)
    assert [[1, 1, 0], [0, 0, 0]] == only_mask(prepare(places, listed, tmp_path / "2", unknown="background"))


def test_jpeg_masks_need_a_tolerance(tmp_path: Path) -> None:
    """Said so; with it, the nearest colour counts."""
    places = MaskPlaces(folder_of(tmp_path, {"a": COLOURED}, as_jpeg))
    listed = table("red=#FF0000", "blue=#0000FF", "grey=#808080")
    with pytest.raises(InputError, match="--tolerance 20"):
        prepare(places, listed, tmp_path / "set")
    dataset = prepare(places, listed, tmp_path / "set", tolerance=90, unknown="ignore")
    expected = np.kron([[1, 1, 2], [2, 3, 3]], np.ones((20, 20), int))

    assert 0.98 < np.mean(np.array(only_mask(dataset)) == expected)


@pytest.mark.parametrize(
    ("mask", "listed", "options", "expected"),
    [
        ([[0, 255]], ["roof=255"], {}, [[0, 1]]),
        ([[0, 255]], ["ground=#000000", "roof=#FFFFFF"], {}, [[0, 1]]),
        ([[0, 1]], ["ground=#000000", "roof=#FFFFFF"], {}, [[0, 1]]),
        ([[1, 2, 3]], ["pet", "rest", "rim"], {"label_offset": 1}, [[0, 1, 2]]),
        ([[7, 8, 3]], ["road", "walk"], {"mapping": {7: 0, 8: 1}}, [[0, 1, NODATA]]),
        ([[4, 9]], [], {}, [[1, 2]]),
        ([[1, 2, 4]], [], {"label_offset": 1}, [[0, 1, 2]]),
        ([[0, 1, 9]], ["ground", "roof"], {"nodata": 9}, [[0, 1, NODATA]]),
        ([[0, 1, 9]], ["ground", "roof"], {"unknown": "ignore"}, [[0, 1, NODATA]]),
    ],
)
def test_values_become_ids(
    tmp_path: Path, mask: Any, listed: list[str], options: dict[str, Any], expected: Any
) -> None:
    """0/255, sets that begin at 1, raw ids, a value to be ignored; grey colours are values or places."""
    places = MaskPlaces(folder_of(tmp_path, {"a": mask}))

    assert expected == only_mask(
        prepare(places, table(*listed) if listed else None, tmp_path / "set", **options)
    )


def test_values_of_no_class_are_refused(tmp_path: Path) -> None:
    """With how often they occur."""
    places = MaskPlaces(folder_of(tmp_path, {"a": [[0, 1, 5, 5]]}))

    with pytest.raises(InputError, match=r"of no class: 5 \(2 px\)"):
        prepare(places, table("ground", "roof"), tmp_path / "set")


def test_names_take_the_colours_of_the_masks_table(tmp_path: Path) -> None:
    """``codes.txt`` beside masks with a colour table; lists of a split come along."""
    folder = folder_of(tmp_path, {"a": [[0, 1]], "b": [[1, 1]]}, as_table)
    (folder / "codes.txt").write_text("ground\nroof\n")
    (folder / "valid.txt").write_text("b.png\n")
    dataset = prepare(MaskPlaces(folder), None, tmp_path / "set")

    assert [("ground", "#0A141E"), ("roof", "#28323C")] == [(c.name, c.colour) for c in dataset.classes]
    assert (("a",), ("b",)) == (dataset.splits["train"], dataset.splits["valid"])
    assert [[0, 1]] == read_labels(dataset["a"]).mask.tolist()


def as_table(path: Path, mask: Any) -> None:
    """Values with a colour table."""
    picture = Image.fromarray(np.array(mask, np.uint8), mode="P")
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.save(path.with_suffix(".png"))


def declaring(nodata: float) -> Callable[[Path, Any], None]:
    """Masks that declare a value as no data."""

    def save(path: Path, mask: Any) -> None:
        pixels = np.asarray(mask, np.uint8)
        write_scene(path.with_suffix(".tif"), pixels.shape, bands=1, nodata=nodata, crs=None)
        with rasterio.open(path.with_suffix(".tif"), "r+") as file:
            file.write(pixels[None])

    return save


def test_declared_nodata(tmp_path: Path) -> None:
    """Ignored; kept where it is the background; refused where it is a class, or the only one."""
    mask = [[0, 1, 2]] * 16
    zero = MaskPlaces(folder_of(tmp_path / "0", {"a": mask}, declaring(0)))
    one = MaskPlaces(folder_of(tmp_path / "1", {"a": np.minimum(mask, 1)}, declaring(1)))
    two = MaskPlaces(folder_of(tmp_path / "2", {"a": mask}, declaring(2)))

    assert [0, 1, 2] == only_mask(prepare(zero, None, tmp_path / "s0"))[0]
    assert [0, 1, NODATA] == only_mask(prepare(two, table("roof=1"), tmp_path / "s2"))[0]
    with pytest.raises(InputError, match=r"only class: 1 \(32 px\)"):
        prepare(one, None, tmp_path / "s1")
    with pytest.raises(InputError, match="declares 1 as no data, but 1 is the class roof"):
        prepare(one, table("roof=1"), tmp_path / "s1")
    with pytest.raises(InputError, match="declares 0 as no data, but 0 is the class Sky"):
        prepare(zero, table("Sky", "Road", "Car"), tmp_path / "s1")
    assert [0, 1, 1] == only_mask(prepare(one, table("roof=1"), tmp_path / "s1", nodata="none"))[0]


def test_masks_that_do_not_fit_are_told_in_one_message(tmp_path: Path) -> None:
    """Other sizes, other places, other kinds: all by name."""
    folder = folder_of(tmp_path, {"a": [[0, 1]], "b": [[0, 1]], "c": [[0, 1]]})
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(folder / "masks" / "b.png")
    Image.fromarray(np.zeros((1, 2, 3), np.uint8)).save(folder / "masks" / "c.png")

    with pytest.raises(InputError) as told:
        prepare(MaskPlaces(folder), None, tmp_path / "set")
    assert "2 masks do not fit their images (b.png: 2x2 for 1x2, c.png: no values" in str(told.value)
    with pytest.raises(InputError, match="pixels away"):
        prepare(shifted(tmp_path / "shifted"), None, tmp_path / "set")


def shifted(folder: Path) -> MaskPlaces:
    """An image and a mask some metres beside it."""
    folder.mkdir()
    there = rasterio.transform.Affine(0.4, 0, 500010, 0, -0.4, 3000000)
    image = write_scene(folder / "image.tif", (20, 20))
    return MaskPlaces(
        images=image, masks=write_scene(folder / "mask.tif", (20, 20), bands=1, transform=there)
    )


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        (
            "a.csv",
            "name,r,g,b\nroad,1,2,3\nroof,4,5,6\n",
            [("road", (1, 2, 3), None), ("roof", (4, 5, 6), None)],
        ),
        ("a.csv", "id,name,colour\n4,road,#010203\n", [("road", (1, 2, 3), 4)]),
        ("a.csv", "road,#010203\nroof, 4, 5, 6\n", [("road", (1, 2, 3), None), ("roof", (4, 5, 6), None)]),
        ("a.csv", "0,background\n1,roof\n", [("background", None, 0), ("roof", None, 1)]),
        (
            "a.json",
            '{"road": "#010203", "roof": [4, 5, 6]}',
            [("road", (1, 2, 3), None), ("roof", (4, 5, 6), None)],
        ),
        ("a.json", '{"classes": [{"title": "road", "color": "010203"}]}', [("road", (1, 2, 3), None)]),
        ("a.json", '["road", "roof"]', [("road", None, None), ("roof", None, None)]),
        ("a.json", '[{"id": 7, "name": "road", "color": "(1, 2, 3)"}]', [("road", (1, 2, 3), 7)]),
        ("codes.txt", "Sky\nRoad work\n", [("Sky", None, None), ("Road work", None, None)]),
        (
            "codes.txt",
            "1 2 3\tSky\n4 5 6 Road work\n",
            [("Sky", (1, 2, 3), None), ("Road work", (4, 5, 6), None)],
        ),
        (
            "codes.txt",
            "Sky #010203\nRoad work: 4,5,6\n",
            [("Sky", (1, 2, 3), None), ("Road work", (4, 5, 6), None)],
        ),
    ],
)
def test_lists_of_classes_in_all_their_forms(tmp_path: Path, name: str, text: str, expected: Any) -> None:
    """Tables, JSON, lines; hex and decimal; with and without numbers and colours."""
    (tmp_path / name).write_text(text)

    assert expected == [(c.name, c.rgb, c.value) for c in read_class_list(tmp_path / name).classes]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "a,#FF0000\nb,255,0,0\n", "a and b have one colour, #FF0000"),
        ("a.csv", "a,1,2\n", "no list of classes"),
        ("a.csv", "a,1,2,300\n", "no colour"),
        ("a.json", "[", "no list of classes"),
        ("a.json", '[{"color": "#000000"}]', "no list of classes"),
        ("a.txt", "a\na\n", "one name"),
        ("a.txt", "", "no classes"),
    ],
)
def test_lists_that_make_no_sense(tmp_path: Path, name: str, text: str, told: str) -> None:
    """The file and what is wrong with it."""
    (tmp_path / name).write_text(text)

    with pytest.raises(InputError, match=told):
        read_class_list(tmp_path / name)


class_lists = st.lists(st.integers(0, 2**24 - 1), min_size=2, max_size=20, unique=True).map(
    lambda colours: ClassList(
        tuple(LabelClass(i, f"class {i}", f"#{colour:06X}") for i, colour in enumerate(colours))
    )
)


@given(class_lists, st.integers(0, 2**32))
def test_round_trips(classes: ClassList, seed: int) -> None:
    """Ids to colours to ids, and to one array a class and back, ignored pixels too: exact."""
    random = np.random.default_rng(seed)
    ids = random.choice([*range(len(classes)), NODATA], (9, 7)).astype(np.uint8)

    assert np.array_equal(ids, to_ids(to_colours(ids, classes), classes))
    layers = to_one_hot(ids, len(classes))
    assert np.array_equal(ids, from_one_hot(layers))
    assert np.array_equal(layers.sum(axis=0), ids != NODATA)


def test_a_class_list_comes_back(tmp_path: Path) -> None:
    """Written as it is read."""
    classes = ClassList((LabelClass(0, "bare, land", "#000000"), LabelClass(1, "roof", "#FF0000")))
    write_class_list(tmp_path / "classes.csv", classes)

    assert classes == read_class_list(tmp_path / "classes.csv").as_values()[0]


def test_what_cannot_be_turned_is_said() -> None:
    """Ids without a class, colours without one, two classes of one colour."""
    classes = ClassList((LabelClass(0, "a", "#000000"), LabelClass(1, "b", "#FF0000")))
    twins = ClassList((LabelClass(0, "a", "#000000"), LabelClass(1, "b", "#000000")))
    for wrong, told in (
        (lambda: to_colours(np.array([[2]], np.uint8), classes), "are none of"),
        (lambda: to_ids(np.full((3, 1, 1), 9, np.uint8), classes), "#090909"),
        (lambda: to_colours(np.array([[0]], np.uint8), twins), "one colour"),
        (lambda: to_one_hot(np.array([[2]], np.uint8), 2), "above 1"),
    ):
        with pytest.raises(InputError, match=told):
            wrong()
    with pytest.raises(OptionError):
        MaskOptions(unknown="guess")
    with pytest.raises(OptionError):
        MaskOptions(mapping={1: 251})
    with pytest.raises(InputError, match="a: no colour"):
        ClassTable((ListedClass("a"),), "x").as_colours()


def test_dubai(data_dir: Path, tmp_path: Path) -> None:
    """Its own list holds other colours, which is caught; with the right ones, every pixel counts."""
    places = MaskPlaces(data_dir / "dubai")
    with pytest.raises(InputError, match=r"classes.json does not fit .* #8429F6 \(6,787,220 px\)"):
        check_masks(places, None, MaskOptions())
    dataset = prepare(places, table(*DUBAI.split()), tmp_path / "set")

    assert 27 == len(dataset)
    assert DUBAI_PIXELS == list(dataset.totals()["pixels"].values())


def test_rio_vegas_camvid(data_dir: Path, tmp_path: Path) -> None:
    """15 chips of 0/255; the only class declared as no data; twelve classes and a list."""
    rio = prepare(MaskPlaces(data_dir / "rio"), table("building=255"), tmp_path / "rio")
    vegas = MaskPlaces(images=data_dir / "vegas" / "image.tif", masks=data_dir / "vegas" / "mask.tif")
    with pytest.raises(InputError, match="declares 1 as no data, but 1 is the class building"):
        check_masks(vegas, table("building=1"), MaskOptions())
    caught = prepare(vegas, table("building=1"), tmp_path / "vegas", nodata="none")
    frames = check_masks(MaskPlaces(data_dir / "camvid"), None, MaskOptions())
    # an overexposed sky along the upper border would be a collar in some frames
    camvid = prepare_masks(frames, Target(tmp_path / "camvid", DataSource("test"), keep_collar=True))

    assert (15, 266162) == (len(rio), rio.totals()["pixels"]["building"])
    assert 113075 == caught.totals()["pixels"]["building"]
    assert ("uint16", 1792.0) == (caught.dtype, max(caught.statistics.maximum) if caught.statistics else 0)
    assert [123, 34] == [len(camvid.splits[name]) for name in ("train", "valid")]
    assert camvid.totals()["pixels"] == open_dataset(tmp_path / "camvid").totals()["pixels"]
    assert [6522134, 917459] == [camvid.totals()["pixels"][name] for name in ("Building", "Unlabelled")]


def test_colours_are_the_way_back(tmp_path: Path) -> None:
    """A data set's masks in colours, prepared again, have the same ids; with and without a place."""
    masks = {"a": np.array([[0, 1, 2], [2, 2, 1]]), "b": np.array([[1, 1, 0]])}
    dataset = prepare(MaskPlaces(folder_of(tmp_path / "in", masks)), table("x", "y", "z"), tmp_path / "set")
    assert 2 == write_colours(dataset, tmp_path / "colours")
    listed = read_class_list(tmp_path / "colours" / "classes.csv")
    places = MaskPlaces(images=dataset.folder / "images", masks=tmp_path / "colours" / "masks")
    again = prepare(places, listed, tmp_path / "again")
    (tmp_path / "here").mkdir()
    here = MaskPlaces(
        images=write_scene(tmp_path / "here" / "image.tif", (20, 20)), masks=tmp_path / "here" / "m.tif"
    )
    write_scene(tmp_path / "here" / "m.tif", (20, 20), bands=1, nodata=9)
    with rasterio.open(tmp_path / "here" / "m.tif", "r+") as file:
        file.write(np.eye(20, dtype=np.uint8)[None])
    placed = prepare(here, None, tmp_path / "p")
    write_colours(placed, tmp_path / "q")

    assert again.classes == dataset.classes
    for item in dataset.items:
        assert np.array_equal(read_labels(item).mask, read_labels(again[item.stem]).mask)
    with (
        rasterio.open(tmp_path / "q" / "masks" / "image.tif") as there,
        rasterio.open(placed.items[0].image) as image,
    ):
        assert (image.crs, image.transform, 3) == (there.crs, there.transform, there.count)
    with pytest.raises(OutputError, match="exists"):
        write_colours(dataset, tmp_path / "q")


def test_masks_are_looked_at_in_strips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Colours, values, values with a colour table, and the way back: never a whole mask at once."""
    rows = np.arange(600)[:, None] // 100 * np.ones((1, 4), int)
    colours = np.array([RED, BLUE, GREY])[rows % 3].astype(np.uint8)
    listed = table("red=#FF0000", "blue=#0000FF", "grey=#808080")
    values = folder_of(tmp_path / "values", {"a": rows})
    coloured = folder_of(tmp_path / "colours", {"a": colours})
    indexed = folder_of(tmp_path / "indexed", {"a": colours}, as_indexed)
    heights: list[int] = []
    read = Scene.read

    def recording(scene: Scene, window: Window, *bands: Any) -> Any:
        heights.append(window.height)
        return read(scene, window, *bands)

    monkeypatch.setattr(Scene, "read", recording)
    monkeypatch.setattr("geoseg.dataset.images.STRIP_PIXELS", 1)
    plain = prepare(MaskPlaces(values), None, tmp_path / "1")
    dataset = prepare(MaskPlaces(coloured), listed, tmp_path / "2")
    tabled = prepare(MaskPlaces(indexed), None, tmp_path / "3")
    write_colours(dataset, tmp_path / "4")

    assert 256 == max(heights)
    monkeypatch.setattr(Scene, "read", read)
    assert np.array_equal(rows, only_mask(plain))
    assert np.array_equal(rows % 3 + 1, only_mask(dataset))
    assert {c.colour for c in tabled.classes} <= {"#FF0000", "#0000FF", "#808080", "#000000"}
    assert np.array_equal(colours, np.asarray(Image.open(tmp_path / "4" / "masks" / "a.png")))


def test_a_colour_learned_meanwhile_is_known() -> None:
    """Another thread may learn the colours between two looks at the table."""
    palette = Palette({RED: 1, BLUE: 2}, tolerance=10)
    pixels = np.array([[[250, 3]], [[5, 3]], [[5, 250]]], np.uint8)
    seen = palette._seen

    class Racing:
        def __getitem__(self, packed: Any) -> Any:
            palette._seen = seen
            palette._learn(np.unique(packed))
            return seen[packed]

    palette._seen = Racing()  # type: ignore[assignment]

    assert [[1, 2]] == palette.look_up(pixels).tolist()


def grey_jpeg(path: Path, seed: int, quality: int = 90) -> None:
    """A mask of one band as JPEG: 15 % of 8,000 pixels are white, and noise is around both values."""
    mask = np.zeros((80, 100), np.uint8)
    mask[20:50, 30:70] = 255
    noise = np.random.default_rng(seed).integers(0, 5, mask.shape)
    Image.fromarray(np.where(mask, 255 - noise, noise).astype(np.uint8)).save(path, quality=quality)


def grey_folder(folder: Path) -> Path:
    """Two images with such masks."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True)
    for number in (0, 1):
        Image.fromarray(np.full((80, 100, 3), 90, np.uint8)).save(folder / f"images/{number}.png")
        grey_jpeg(folder / f"masks/{number}.jpg", number)
    return folder


@pytest.mark.parametrize(
    ("listed", "options"),
    [
        (("background=#000000", "building=#ffffff"), {"tolerance": 30}),
        (("background=#000000", "building=#ffffff"), {}),
        (("building=255",), {}),
        (("building=255",), {"tolerance": 30}),
    ],
)
def test_grey_jpeg_masks(tmp_path: Path, listed: tuple[str, ...], options: dict[str, Any]) -> None:
    """Values near a class are of it, white is 255, and what was taken is said."""
    masks = check_masks(MaskPlaces(grey_folder(tmp_path)), table(*listed), MaskOptions(**options))
    dataset = prepare_masks(masks, Target(tmp_path / "set", DataSource("test")))
    counts = [item.counts for item in dataset.items]

    assert all(1_164 <= building <= 1_236 and not ignored for _, building, ignored in counts)
    assert (not options) == any("nearest class that is at most 127 away" in t for t in masks.agreement.told)


def test_lossy_values_need_names(tmp_path: Path) -> None:
    """Else each of the blurred values would be a class; exact values only leave the noise of no class."""
    places = MaskPlaces(grey_folder(tmp_path))
    with pytest.raises(InputError, match=r"lossy compression \(JPEG\).*--class building=255"):
        check_masks(places, None, MaskOptions())
    with pytest.raises(InputError, match=r"of no class.*--tolerance 20"):
        check_masks(places, table("building=255"), MaskOptions(tolerance=0))


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        ([0, 255], 127),
        ([0, 1], 0),
        ([0, 100, 255], 20),
        ([0, 10, 20], 5),
        ([(0, 0, 0), (255, 255, 255)], 127),
        ([(0, 0, 0), (255, 255, 255), (255, 0, 0)], 0),
        ([5], 0),
    ],
)
def test_usual_tolerances(levels: list[Any], expected: int) -> None:
    """Half of what is between two classes; little between more."""
    assert expected == usual_tolerance(levels)


def test_masks_of_which_nothing_arrives(tmp_path: Path) -> None:
    """What they hold is shown; masks that hold nothing but background are told."""
    places = MaskPlaces(folder_of(tmp_path, {"a": np.array([[0, 0, 7], [0, 7, 7]], np.uint8)}))
    for options in ({"unknown": "background"}, {"unknown": "ignore"}):
        with pytest.raises(InputError, match="not one pixel of roof is in the masks, which hold 7"):
            check_masks(places, table("roof=255"), MaskOptions(**options))
    empty = MaskPlaces(folder_of(tmp_path / "b", {"a": np.zeros((2, 3), np.uint8)}))
    told = check_masks(empty, table("roof=255"), MaskOptions()).agreement.told

    assert ("not one pixel of roof is in the masks: all is background",) == told


@pytest.mark.parametrize("value", range(2, 9))
@pytest.mark.parametrize("as_stored", [False, True])
def test_masks_of_pictures_that_are_shown_turned(tmp_path: Path, value: int, as_stored: bool) -> None:
    """A mask of the shown size is turned to the stored pixels; one of the stored size alone stays."""
    for kind in ("images", "masks"):
        (tmp_path / kind).mkdir()
    mask = np.zeros((20, 30), np.uint8)
    mask[3:7, 5:25] = 1
    exif = Image.Exif()
    exif[274] = value
    stored = np.ascontiguousarray(Orientation(value).stored_pixels(mask))
    picture = Image.fromarray(np.stack([stored * 100 + 80] * 3, axis=2))  # black would be a collar
    picture.save(tmp_path / "images/a.png", exif=exif.tobytes())
    as_stored = as_stored and value >= 5
    Image.fromarray(stored if as_stored else mask).save(tmp_path / "masks/a.png")
    masks = check_masks(MaskPlaces(tmp_path), table("roof=1"), MaskOptions())
    (item,) = prepare_masks(masks, Target(tmp_path / "set", DataSource("test"))).items

    assert np.array_equal(stored, read_labels(item).mask)
    assert any("shown turned by EXIF: 1 image (a.png)" in line for line in masks.agreement.told)
    assert as_stored == any("size of the stored pixels" in line for line in masks.agreement.told)


def test_hidden_files_are_left_out_and_named(tmp_path: Path) -> None:
    """Systems leave such files beside pictures; that they are no images is said."""
    folder = folder_of(tmp_path / "in", {"a": [[0, 1], [1, 0]]})
    for place in ("images", "masks"):
        (folder / place / "._a.png").write_bytes(b"no picture")
    found = check_masks(MaskPlaces(folder), None, MaskOptions())
    assert "left out: 2 hidden files (._a.png, ._a.png)" in found.agreement.told


def test_tiffs_that_viewers_turn_are_named(tmp_path: Path) -> None:
    """Whoever drew labels on the picture as shown is told that they are taken as the pixels are stored."""
    noise = np.random.default_rng(0).integers(20, 200, (40, 60, 3), np.uint8)
    for name in ("images", "masks"):
        (tmp_path / "in" / name).mkdir(parents=True)
    Image.fromarray(noise).save(tmp_path / "in" / "images" / "a.tif", tiffinfo={274: 6})
    Image.fromarray(np.eye(40, 60, dtype=np.uint8)).save(tmp_path / "in" / "masks" / "a.png")
    found = prepare_masks(
        check_masks(MaskPlaces(tmp_path / "in"), None, MaskOptions()),
        Target(tmp_path / "set", DataSource("t")),
    )
    assert any("an orientation tag is in 1 image (a.tif)" in note for note in found.notes)
