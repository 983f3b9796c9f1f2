"""Label Studio's JSON: percent, brushes, upload prefixes, several annotators."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSource
from geoseg.dataset.labelstudio import read_labelstudio
from geoseg.dataset.runs import brush_mask
from geoseg.dataset.store import DataSet, read_labels
from geoseg.errors import InputError, OptionError

SIZE = (40, 60)
SQUARE = [[10, 10], [50, 10], [50, 60], [10, 60]]


def encode_brush(pixels: Any, word: int = 8) -> list[int]:
    """Label Studio's run lengths of RGBA values: every run of equal values, or three of any as they are."""
    values = np.repeat(np.asarray(pixels, np.uint8).ravel() * 255, 4)
    sizes = (3, 4, 8, 16)
    bits = f"{len(values):032b}{word - 1:05b}" + "".join(f"{s - 1:04b}" for s in sizes)
    place = 0
    while place < len(values):
        same = np.flatnonzero(values[place:] != values[place])
        run = min(int(same[0]) if len(same) else len(values) - place, 2**16)
        if run > 3:
            kind = next(i for i, s in enumerate(sizes) if run <= 2**s)
            bits += f"1{kind:02b}{run - 1:0{sizes[kind]}b}{values[place]:0{word}b}"
        else:
            run = min(3, len(values) - place)
            bits += f"000{run - 1:03b}" + "".join(f"{v:0{word}b}" for v in values[place : place + run])
        place += run
    bits += "0" * (-len(bits) % 8)
    return [int(bits[i : i + 8], 2) for i in range(0, len(bits), 8)]


def result(kind: str, value: Any, number: int = 0, **more: Any) -> dict[str, Any]:
    """One region."""
    return {
        "id": f"r{number}",
        "type": kind,
        "value": value,
        "original_height": 40,
        "original_width": 60,
    } | more


def polygon(points: Any, label: str = "roof", **more: Any) -> dict[str, Any]:
    """A polygon."""
    return result("polygonlabels", {"points": points, "polygonlabels": [label]}, **more)


def write_tasks(folder: Path, *annotations: list[Any], name: str = "/data/upload/3/0a1b2c3d-a.png") -> Path:
    """One task with these annotations, each a list of results, and its image ``a.png``."""
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / "a.png")
    found = [{"id": i, "result": r} if isinstance(r, list) else r for i, r in enumerate(annotations)]
    path = folder / "export.json"
    path.write_text(json.dumps([{"id": 1, "data": {"image": name}, "annotations": found}]))
    return path


def prepare(path: Path, target: Path) -> DataSet:
    """The data set of an export."""
    return prepare_annotated(read_labelstudio(path), Target(target, DataSource("test")))


def test_polygons_and_brushes(tmp_path: Path) -> None:
    """Percent of width and height; a brush's alpha; labels beside or apart."""
    brushed = np.zeros(SIZE, bool)
    brushed[30:35, 7:40] = True
    brush = result("brushlabels", {"format": "rle", "rle": encode_brush(brushed), "brushlabels": ["tree"]}, 1)
    apart = [
        result("polygon", {"points": [[60, 0], [100, 0], [100, 50], [60, 50]]}, 2),
        result("labels", {"labels": ["roof"]}, 2),
        {"id": "r3", "type": "choices", "value": {"choices": ["good"]}},
    ]
    dataset = prepare(write_tasks(tmp_path, [polygon(SQUARE), brush, *apart]), tmp_path / "set")
    (item,) = dataset.items
    labels = read_labels(item)
    expected = np.zeros(SIZE, np.uint8)
    expected[4:24, 6:30] = expected[0:20, 36:60] = 1
    expected[brushed] = 2

    assert ["background", "roof", "tree"] == [c.name for c in dataset.classes]
    assert ("a", 3) == (item.stem, item.objects)
    assert np.array_equal(expected, labels.mask)


@pytest.mark.parametrize("share", [0.0, 0.03, 0.5, 1.0])
def test_brushes_of_any_pattern(share: float) -> None:
    """Decoded as encoded; cut off or of another size: none."""
    pixels = np.random.default_rng(1).random(SIZE) < share
    codes = encode_brush(pixels)
    decoded = brush_mask(codes, SIZE)

    assert decoded is not None
    assert np.array_equal(pixels, decoded)
    assert brush_mask(codes, (SIZE[0], SIZE[1] + 1)) is None
    assert brush_mask(codes[:-2], SIZE) is None
    assert brush_mask([300, -1], SIZE) is None


def test_one_annotation_of_a_task_counts(tmp_path: Path) -> None:
    """The ground truth, else the last that was not cancelled."""
    square, other = [polygon(SQUARE)], [polygon([[0, 0], [20, 0], [20, 20]])]
    cancelled = {"result": square, "was_cancelled": True}
    for annotations, pixels in (
        ((square, other, cancelled), "other"),
        (({"result": square, "ground_truth": True}, other), "square"),
    ):
        (image,) = read_labelstudio(write_tasks(tmp_path, *annotations)).images
        (shape,) = read_labelstudio(write_tasks(tmp_path, *annotations)).shapes(image)
        assert {"other": 3, "square": 4}[pixels] == len(shape.rings[0])


@pytest.mark.parametrize(
    ("region", "kind"),
    [
        (polygon([[0, 0], [10, None], [10, 10]]), "null coordinate"),
        (polygon([[0, 0], [10, 10]]), "fewer than three points"),
        (polygon([]), "empty segmentation"),
        (polygon([[0, 0], [150, 0], [10, 10]]), "outside the image"),
        (polygon(SQUARE, ""), "unknown category"),
        (polygon(SQUARE, image_rotation=90), "rotated image"),
        (result("rectanglelabels", {"x": 1, "y": 1, "rectanglelabels": ["roof"]}), "box without polygon"),
        (result("brushlabels", {"rle": [1, 2, 3], "brushlabels": ["roof"]}), "run lengths of another size"),
    ],
)
def test_irregular_regions_are_told(tmp_path: Path, region: Any, kind: str) -> None:
    """Each by its kind; the others are drawn all the same."""
    good = polygon([[80, 80], [100, 80], [100, 100]], id="good")
    annotations = read_labelstudio(write_tasks(tmp_path, [region, good]))

    assert [kind] == [found.kind for found in annotations.irregularities]
    assert 1 <= annotations.images[0].objects


@pytest.mark.parametrize("text", ["{}", '[{"image": "a.png", "label": []}]', "[1]"])
def test_other_exports_are_sent_back(tmp_path: Path, text: str) -> None:
    """JSON-MIN and others: the right form is named."""
    (tmp_path / "export.json").write_text(text)

    with pytest.raises(InputError, match="not JSON-MIN"):
        read_labelstudio(tmp_path / "export.json")


def test_banepa_equals_its_coco_form(data_dir: Path, tmp_path: Path) -> None:
    """12 chips, 505 polygons; the same pixels but for rounding of coordinates."""
    folder = data_dir / "banepa" / "coco"
    dataset = prepare(folder / "labelstudio.json", tmp_path / "set")
    coco = prepare_annotated(read_coco(folder / "result.json"), Target(tmp_path / "coco", DataSource("test")))
    both, either = 0, 0
    for item in dataset.items:
        one, other = read_labels(item).mask, read_labels(coco[item.stem]).mask
        both, either = both + np.count_nonzero(one & other), either + np.count_nonzero(one | other)

    assert (12, 505) == (len(dataset), sum(item.objects or 0 for item in dataset.items))
    assert both / either > 0.999


def test_a_number_too_large_for_a_coordinate_is_told(tmp_path: Path) -> None:
    """Whole numbers in JSON have any length."""
    points = [[10, 10], [10**400, 10], [50, 60]]
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(tmp_path / "a.png")
    value = {"points": points, "polygonlabels": ["roof"]}
    task = {"data": {"image": "a.png"}, "annotations": [{"result": [result("polygonlabels", value)]}]}
    (tmp_path / "labels.json").write_text(json.dumps([task]))

    assert ["null coordinate"] == [
        found.kind for found in read_labelstudio(tmp_path / "labels.json").irregularities
    ]


def write_people(folder: Path, *annotations: dict[str, Any], more: dict[str, Any] | None = None) -> Path:
    """A task of these annotations, and one of which nothing is finished."""
    path = write_tasks(folder, *annotations)
    Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / "b.png")
    tasks = json.loads(path.read_text())
    tasks.append({"id": 2, "data": {"image": "b.png"}, "annotations": []} | (more or {}))
    path.write_text(json.dumps(tasks))
    return path


def test_annotations_of_several_people(tmp_path: Path) -> None:
    """The last one is taken and that is said; --annotator takes another; nobody of that name is refused."""
    three = {
        "result": [polygon([[0, 0], [20, 0], [20, 20]])],
        "completed_by": {"id": 3, "email": "anna@x.org"},
    }
    four = {"result": [polygon(SQUARE)], "completed_by": 7}
    path = write_people(tmp_path, three, four, more={"predictions": [four], "drafts": [three]})
    corners = {}
    for name in (None, "anna@x.org", "7"):
        annotations = read_labelstudio(path, annotator=name)
        (image,) = annotations.images
        corners[name] = len(annotations.shapes(image)[0].rings[0])
        said = [line for line in annotations.told if "several annotations (anna@x.org, 7)" in line]
        assert (name is None) == bool(said)
        assert any("without a finished annotation: 1 image (b.png)" in line for line in annotations.told)

    assert {None: 4, "anna@x.org": 3, "7": 4} == corners
    with pytest.raises(OptionError, match=r"no annotation of bert.*takes: anna@x\.org, 7"):
        read_labelstudio(path, annotator="bert")


def test_predictions_alone_are_no_labels(tmp_path: Path) -> None:
    """Said so."""
    cancelled = {"result": [polygon(SQUARE)], "was_cancelled": True}
    path = write_people(tmp_path, cancelled, more={"predictions": [{"result": [polygon(SQUARE)]}]})
    with pytest.raises(InputError, match="drafts and predictions apart"):
        read_labelstudio(path)


def test_a_submitted_annotation_without_regions_is_background(tmp_path: Path) -> None:
    """Unlike a task that nobody has finished."""
    path = write_people(tmp_path, {"result": [polygon(SQUARE)]}, more={"annotations": [{"result": []}]})

    assert [("a", 1), ("b", 0)] == [(i.stem, i.objects) for i in read_labelstudio(path).images]
