"""COCO files: drawn as pycocotools draws them, and what is irregular said."""

import csv
import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from geoseg.core import Window
from geoseg.dataset.annotated import REPORT, ImageSelection, Target, prepare_annotated
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSource
from geoseg.dataset.runs import run_lengths
from geoseg.dataset.shapes import Shape, draw_shapes
from geoseg.dataset.store import open_dataset, read_labels
from geoseg.errors import InputError, OptionError

SIZE = (40, 60)
SQUARE = [5, 5, 25, 5, 25, 25, 5, 25]
INNER = [10, 10, 20, 10, 20, 20, 10, 20]


def write_coco(folder: Path, annotations: list[dict[str, Any]], **more: Any) -> Path:
    """A COCO file of images 1 and 2 (``a.png``, ``b.png``) and the categories 3, roof, and 7, road."""
    (folder / "images").mkdir(parents=True, exist_ok=True)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((*SIZE, 3), 90, np.uint8)).save(folder / "images" / name)
    images = [{"id": i, "file_name": f"{name}.png"} for i, name in ((1, "a"), (2, "b"))]
    categories = [{"id": 3, "name": "roof"}, {"id": 7, "name": "road"}]
    path = folder / "labels.json"
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories} | more)
    )
    return path


def prepare(
    path: Path, target: Path, choice: ImageSelection | None = None, images: Path | None = None
) -> Any:
    """The data set of a COCO file."""
    return prepare_annotated(read_coco(path, images), Target(target, DataSource("test")), choice)


def annotation(number: int, segmentation: Any, image: int = 1, category: int = 3, **more: Any) -> Any:
    """One annotation."""
    return {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation} | more


def test_polygons_run_lengths_and_crowds(tmp_path: Path) -> None:
    """Parts of an object are one; smaller objects lie on top; a crowd has a class and no identity."""
    crowd = np.zeros(SIZE, np.uint8)
    crowd[30:, :] = 1
    compressed = coco_mask.encode(np.asfortranarray(crowd))
    flat = coco_mask.frPyObjects([INNER], *SIZE)
    path = write_coco(
        tmp_path,
        [
            annotation(1, [INNER], category=7),
            annotation(2, [SQUARE, [40, 5, 50, 5, 50, 15, 40, 15]]),
            annotation(3, {"size": list(SIZE), "counts": compressed["counts"].decode()}, iscrowd=1),
            annotation(4, {"size": list(SIZE), "counts": [*run_lengths_of(flat[0])]}, image=2),
        ],
    )
    dataset = prepare(path, tmp_path / "set")
    first, second = (read_labels(item) for item in dataset.items)

    assert ["background", "roof", "road"] == [c.name for c in dataset.classes]
    assert first.instances is not None
    assert second.instances is not None
    assert (2, 1) == (first.mask[15, 15], first.instances[15, 15])
    assert (1, 2) == (first.mask[6, 6], first.instances[6, 6])
    assert (1, 2) == (first.mask[10, 45], first.instances[10, 45])
    assert (1, 0) == (first.mask[35, 30], first.instances[35, 30])
    assert np.array_equal(coco_mask.decode(flat)[..., 0], second.mask)
    assert [3, 1] == [item.objects for item in dataset.items]


def test_more_objects_than_a_byte_counts(tmp_path: Path) -> None:
    """260 of them on one image."""
    squares = [[x, y, x + 2, y, x + 2, y + 2, x, y + 2] for x in range(0, 60, 3) for y in range(0, 40, 3)][
        :260
    ]
    dataset = prepare(
        write_coco(tmp_path, [annotation(i, [s]) for i, s in enumerate(squares)]), tmp_path / "set"
    )
    instances = read_labels(dataset["a"]).instances

    assert 260 == dataset["a"].objects
    assert set(range(261)) == set(np.unique(instances))


def run_lengths_of(code: Any) -> list[int]:
    """A compressed encoding's numbers, counted from its pixels."""
    pixels = coco_mask.decode(code).ravel(order="F")
    ends = np.flatnonzero(np.diff(pixels)) + 1
    runs = np.diff([0, *ends, len(pixels)]).tolist()
    return [0, *runs] if pixels[0] else runs


def test_compressed_run_lengths_are_what_pycocotools_means() -> None:
    """Random masks, from empty to full."""
    random = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        for _ in range(20):
            size = tuple(int(v) for v in random.integers(1, 50, 2))
            pixels = np.asfortranarray(random.random(size) < share, dtype=np.uint8)
            code = coco_mask.encode(pixels)
            counts = run_lengths({"size": list(size), "counts": code["counts"].decode()}, size)

            assert run_lengths_of(code) == counts


@pytest.mark.parametrize(
    "counts", ["", "zzz", "0" * 9, [5, -5, 2400], [7], None, [2399.0, 1], "~~~~~~~~~~~~~~~"]
)
def test_run_lengths_that_do_not_fit_are_not_drawn(counts: Any) -> None:
    """Pycocotools would believe them and write beyond the image."""
    assert run_lengths({"size": list(SIZE), "counts": counts}, SIZE) is None


def test_images_are_chosen_by_how_clean_they_are(tmp_path: Path) -> None:
    """Empty images are background unless dropped; the cleanest are kept on demand."""
    path = write_coco(tmp_path, [annotation(1, [SQUARE]), annotation(2, [[1, 1, 2, 2]], image=1)])

    assert ["a", "b"] == [i.stem for i in prepare(path, tmp_path / "all").items]
    assert ["a"] == [i.stem for i in prepare(path, tmp_path / "full", ImageSelection(drop_empty=True)).items]
    with pytest.raises(InputError, match="fewer than three points: 1"):
        prepare(path, tmp_path / "best", ImageSelection(best=1))
    with pytest.raises(InputError, match="none of its 2 images is left"):
        prepare(path, tmp_path / "most", ImageSelection(max_irregular=0))
    assert [1, 0] == [i.irregular for i in open_dataset(tmp_path / "all").items]


def test_upload_prefixes_and_addresses_find_their_files(tmp_path: Path) -> None:
    """Names carry what a tool put before them; the files may, too."""
    names = ["http://host/data/upload/1/9f2c0a11-a.png?x=1", "/data/local-files/?d=images%5Cb.png"]
    images = [{"id": i, "file_name": name, "width": 60, "height": 40} for i, name in enumerate(names, 1)]
    path = write_coco(tmp_path, [annotation(1, [SQUARE])], images=images)

    assert ["a", "b"] == [i.stem for i in read_coco(path).images]
    assert not read_coco(path).irregularities


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"images": [\n  {"id": 1,}', "line 2, column 1"),
        ("[]", "no lists images, annotations and categories"),
        ('{"images": [{}], "annotations": [], "categories": [{"id": 0, "name": "a"}]}', "lacks its id"),
        ('{"images": [], "annotations": [], "categories": []}', "no categories"),
        ('{"images": [], "annotations": [], "categories": [{"name": "a"}]}', "category lacks"),
        (
            '{"images": [{"id": 1, "file_name": "no.png"}], "annotations": [], '
            '"categories": [{"id": 0, "name": "a"}]}',
            "none of its 1 images is there",
        ),
    ],
)
def test_files_that_are_no_coco(tmp_path: Path, text: str, told: str) -> None:
    """One line that names the place."""
    path = tmp_path / "labels.json"
    path.write_text(text)

    with pytest.raises(InputError, match=told):
        read_coco(path)


def test_banepa_equals_pycocotools(data_dir: Path, tmp_path: Path) -> None:
    """48 chips, 1,821 polygons; masks bit for bit the union of ``annToMask``."""
    path = data_dir / "banepa" / "coco" / "result.json"
    dataset = prepare(path, tmp_path / "set")
    oracle = COCO(path)
    by_name = {Path(image["file_name"]).stem: image["id"] for image in oracle.loadImgs(oracle.getImgIds())}

    assert (48, 1821) == (len(dataset), sum(item.objects or 0 for item in dataset.items))
    for item in dataset.items:
        union = np.zeros((512, 512), np.uint8)
        for found in oracle.loadAnns(oracle.getAnnIds(imgIds=[by_name[item.stem]])):
            union |= oracle.annToMask(found)
        labels = read_labels(item)
        assert labels.instances is not None
        assert np.array_equal(union, labels.mask)
        assert np.array_equal(union > 0, labels.instances > 0)


def test_every_fault_of_banepa_is_told(data_dir: Path, tmp_path: Path) -> None:
    """The faults put into the file, each with its kind and id, and nothing else."""
    folder = data_dir / "banepa" / "coco"
    with (folder / "irregular.tsv").open() as lines:
        faults = list(csv.DictReader(lines, delimiter="\t"))
    prepare(folder / "result_irregular.json", tmp_path / "set", images=folder / "images")
    with (tmp_path / "set" / REPORT).open() as lines:
        told = list(csv.DictReader(lines, delimiter="\t"))
    clean = read_coco(folder / "result.json", folder / "images").irregularities
    key = ("kind", "annotation_id", "image_id")

    assert 0 == len(clean)
    assert sorted(tuple(f[k] for k in key) for f in faults if f["expect"] == "reported") == sorted(
        tuple(t[k] for k in key) for t in told
    )


def test_boxes_are_not_enough(data_dir: Path) -> None:
    """An export for detection has no outlines: said so, with how many."""
    folder = data_dir / "banepa" / "coco"
    with pytest.raises(InputError, match="none of its 48 images is there"):
        read_coco(folder / "boxes_only.json")


def test_boxes_beside_their_images(tmp_path: Path) -> None:
    """Boxes without polygons are a kind of irregularity, and nothing is drawn of them."""
    boxes = [{"id": 1, "image_id": 1, "category_id": 3, "bbox": [1, 1, 5, 5], "area": 25}]

    with pytest.raises(InputError, match="box without polygon: 1"):
        prepare(write_coco(tmp_path, boxes), tmp_path / "set")
    assert not (tmp_path / "set").exists()


@pytest.mark.parametrize(
    ("segmentation", "told"),
    [
        ([SQUARE, None], "null coordinate"),
        ([None, SQUARE], "null coordinate"),
        ({"size": 64, "counts": [2400]}, "run lengths of another size"),
        ({"size": None, "counts": [2400]}, "run lengths of another size"),
        ([[5, 5, 10**400, 5, 25, 25]], "null coordinate"),
        ([[5, 5, 1e12, 5, 25, 25]], "outside the image"),
    ],
)
def test_damaged_segmentations_are_told(tmp_path: Path, segmentation: Any, told: str) -> None:
    """Each is left out, and the others are drawn."""
    path = write_coco(tmp_path, [annotation(1, [SQUARE]), annotation(2, segmentation)])
    found = read_coco(path).irregularities

    assert [(told, "2", "left out")] == [(i.kind, i.annotation, i.done) for i in found]
    assert 1 == prepare(path, tmp_path / "set")["a"].objects


def test_numbers_and_names_that_nothing_can_read(tmp_path: Path) -> None:
    """A number of thousands of digits is no JSON; brackets in a name are no address."""
    path = write_coco(tmp_path, [annotation(1, [SQUARE])])
    text = path.read_text()
    path.write_text(text.replace('"id": 3', f'"id": {"3" * 5000}'))
    with pytest.raises(InputError, match="is no JSON"):
        read_coco(path)
    path.write_text(text.replace('"a.png"', '"http://[x/a.png"'))
    assert ["a", "b"] == [i.stem for i in read_coco(path).images]


def test_ids_may_be_text(tmp_path: Path) -> None:
    """Of categories and of images, on one side or on both."""
    categories = [{"id": "3", "name": "roof"}, {"id": 7, "name": "road"}]
    found = [
        annotation(1, [SQUARE], "1", "3"),
        annotation(2, [INNER], 1, "7"),
        annotation(3, [SQUARE], "2", 3),
    ]
    path = write_coco(tmp_path, [*found, annotation(4, [SQUARE], 2, "x")], categories=categories)
    annotations = read_coco(path)

    assert [("unknown category", "4")] == [(i.kind, i.annotation) for i in annotations.irregularities]
    assert [2, 1] == [image.objects for image in annotations.images]


points = st.lists(st.tuples(st.floats(-20, 80), st.floats(-20, 60)), min_size=3, max_size=8)


@given(st.lists(st.lists(points, min_size=1, max_size=2), min_size=1, max_size=5), st.integers(1, 25))
def test_windows_are_what_pycocotools_draws(outlines: list[Any], rows: int) -> None:
    """Object by object, whatever part of the image is wanted; parts join."""
    shapes = [Shape(1, tuple(np.array(ring) for ring in rings)) for rings in outlines]
    whole = draw_shapes(shapes, SIZE, Window(0, 0, *SIZE))
    parts = [
        draw_shapes(shapes, SIZE, Window(row, col, min(rows, SIZE[0] - row), 30))
        for row in range(0, SIZE[0], rows)
        for col in (0, 30)
    ]
    joined = np.block(
        [[left.instances, right.instances] for left, right in zip(parts[::2], parts[1::2], strict=True)]
    )
    union = np.zeros(SIZE, np.uint8)
    for rings, shape in zip(outlines, shapes, strict=True):
        code = coco_mask.merge(coco_mask.frPyObjects([np.ravel(ring).tolist() for ring in rings], *SIZE))
        own = coco_mask.decode(code)
        union |= own
        assert np.array_equal(own, draw_shapes([shape], SIZE, Window(0, 0, *SIZE)).mask)

    assert np.array_equal(union, whole.mask)
    assert np.array_equal(whole.instances, joined)


def test_drawing_takes_memory_by_the_window() -> None:
    """Not by the image, which may be a large orthophoto."""
    ring = np.array([[x + 40_000.0, y + 50_000.0] for x, y in np.array(SQUARE).reshape(-1, 2)])
    tracemalloc.start()
    labels = draw_shapes([Shape(1, (ring,))], (60_000, 60_000), Window(50_000, 40_000, 40, 60))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert 400 == labels.mask.sum() == labels.mask[5:25, 5:25].sum()
    assert peak < 1_000_000


def test_annotations_of_several_people(tmp_path: Path) -> None:
    """All are drawn and that is said; of one person on request, with the images that he or she did."""
    path = write_coco(
        tmp_path,
        [
            annotation(1, [SQUARE], annotator="anna"),
            annotation(2, [INNER], attributes={"annotator": "bert"}),
            annotation(3, [SQUARE], image=2, annotator="anna"),
        ],
    )
    every, bert = read_coco(path), read_coco(path, annotator="bert")

    assert [("a", 2), ("b", 1)] == [(image.stem, image.objects) for image in every.images]
    assert any("1 image with several annotations (anna, bert): all are drawn" in line for line in every.told)
    assert [("a", 1)] == [(image.stem, image.objects) for image in bert.images]
    with pytest.raises(OptionError, match=r"no annotation of carl.*takes: anna, bert"):
        read_coco(path, annotator="carl")
