"""Outlines on scenes: placed, counted, drawn; and back."""

from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import shapes as traced
from shapely.geometry import box, shape

import geoseg.dataset.vectors as module
from geoseg.core import NODATA, GeoGrid, Window
from geoseg.dataset.annotated import Target, prepare_annotated
from geoseg.dataset.classlists import named_classes
from geoseg.dataset.coco import read_coco
from geoseg.dataset.items import DataSource
from geoseg.dataset.shapes import draw_shapes
from geoseg.dataset.store import DataSet, read_labels
from geoseg.dataset.vectors import (
    SceneFeatures,
    VectorLabels,
    VectorSet,
    contacts,
    draw_features,
    prepare_vectors,
    read_vector_set,
    rims,
)
from geoseg.errors import InputError, OptionError, VectorError
from geoseg.raster import open_scene
from tests.scenes import HALF_METRE, write_scene

LEFT, TOP, SIDE = 500000.0, 3000000.0, 0.4
GRID = GeoGrid(40, 40, (SIDE, 0.0, LEFT, 0.0, -SIDE, TOP))


def pixels(row: float, col: float, height: float, width: float) -> Any:
    """A rectangle of pixels of the test scene, on the map."""
    x, y = LEFT + col * SIDE, TOP - row * SIDE
    return box(x, y - height * SIDE, x + width * SIDE, y)


def write_vectors(path: Path, geometries: list[Any], crs: str | None = "EPSG:32628", **fields: Any) -> Path:
    """A GeoPackage in any CRS."""
    frame = geopandas.GeoDataFrame(fields, geometry=geometries, crs="EPSG:32628")
    (frame.to_crs(crs) if crs else frame.set_crs(None, allow_override=True)).to_file(path)
    return path


def prepare(vectors: Path, *scenes: Path, target: Path, **labels: Any) -> DataSet:
    """The data set of scenes and features."""
    found = read_vector_set(vectors, scenes, VectorLabels(**labels))
    return prepare_vectors(found, Target(target, DataSource("test")))


@pytest.mark.parametrize("crs", ["EPSG:32628", "EPSG:4326"])
def test_features_fall_on_their_pixels(tmp_path: Path, crs: str) -> None:
    """Reprojected, the smaller on top, separate where they touch; no label where the scene has no data."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    shapes = [pixels(4, 5, 10, 10), pixels(4, 15, 10, 10), pixels(6, 7, 2, 2), pixels(30, 40, 10, 10)]
    dataset = prepare(write_vectors(tmp_path / "v.gpkg", shapes, crs), scene, target=tmp_path / "set")
    (item,) = dataset.items
    labels = read_labels(item)
    with open_scene(scene) as opened:
        valid = opened.read(Window(0, 0, 40, 50))[1]
    expected = np.zeros((40, 50), np.uint8)
    expected[4:14, 5:25] = expected[30:40, 40:50] = 1
    expected[~valid] = NODATA
    ids = labels.instances

    assert ["background", "building"] == [c.name for c in dataset.classes]
    assert np.array_equal(expected, labels.mask)
    assert ids is not None
    assert 3 == len({ids[5, 6], ids[7, 8], ids[5, 20]})
    assert not ids[~valid].any()
    assert 4 == item.objects
    assert 0.39 < (item.gsd_m or 0) < 0.41


def test_classes_from_a_field(tmp_path: Path) -> None:
    """Sorted, or in the order named; features without one are counted; another value is refused."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    shapes = [pixels(0, 0, 4, 4), pixels(0, 10, 4, 4), pixels(0, 20, 4, 4)]
    vectors = write_vectors(tmp_path / "v.gpkg", shapes, kind=["roof", "barn", None])
    found = read_vector_set(vectors, [scene], VectorLabels("kind"))
    named = prepare(vectors, scene, target=tmp_path / "set", class_field="kind", names=("roof", "barn"))

    assert (["background", "barn", "roof"], 1) == ([c.name for c in found.classes], found.unusable)
    assert [1, 2, 0] == [read_labels(named.items[0]).mask[1, col] for col in (1, 11, 21)]
    with pytest.raises(InputError, match="holds barn, which is no class named"):
        read_vector_set(vectors, [scene], VectorLabels("kind", ("roof",)))
    with pytest.raises(InputError, match=r"no field 'type' \(it has kind\)"):
        read_vector_set(vectors, [scene], VectorLabels("type"))
    with pytest.raises(OptionError, match="class-field"):
        VectorLabels(names=("a", "b"))


def test_all_touched_takes_more(tmp_path: Path) -> None:
    """A sliver between pixel centres shows only if every touched pixel counts; else it is refused."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    vectors = write_vectors(tmp_path / "v.gpkg", [pixels(4.6, 5.6, 0.3, 3)])
    with pytest.raises(InputError, match="not one pixel of 1 object is drawn"):
        prepare(vectors, scene, target=tmp_path / "1")
    touched = prepare(vectors, scene, target=tmp_path / "2", all_touched=True)

    assert 4 == int((read_labels(touched.items[0]).mask == 1).sum())


def test_rims_and_contacts_are_classes(tmp_path: Path) -> None:
    """The inner rim of each object, and the ground between two that are near."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    vectors = write_vectors(tmp_path / "v.gpkg", [pixels(5, 5, 8, 8), pixels(5, 15, 8, 8)])
    dataset = prepare(vectors, scene, target=tmp_path / "set", boundary=1, contact=2)
    mask = read_labels(dataset.items[0]).mask

    assert ["background", "building", "boundary", "contact"] == [c.name for c in dataset.classes]
    assert [0, 2, 1, 1, 1, 1, 1, 1, 2, 3, 3, 2] == mask[8, 4:16].tolist()
    assert {2} == set(mask[5, 5:12])


def test_what_misses_is_counted_and_told(tmp_path: Path) -> None:
    """Some outside: counted. All outside: where they are. No CRS: coordinates are compared."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    far = shapely.affinity.translate(pixels(0, 0, 5, 5), 5000)
    some = write_vectors(tmp_path / "some.gpkg", [pixels(0, 0, 5, 5), far, far])
    none = write_vectors(tmp_path / "none.gpkg", [far])
    plain = write_scene(tmp_path / "plain.tif", (40, 50), crs=None)

    assert 2 == read_vector_set(some, [scene], VectorLabels()).outside
    with pytest.raises(InputError, match=r"none of its 1 features lies on scene.tif: they lie at 505000"):
        read_vector_set(none, [scene], VectorLabels())
    on_plain = read_vector_set(some, [plain], VectorLabels())
    assert (2, 1) == (on_plain.outside, len(on_plain.features["plain"].shapes))
    assert ["plain: no CRS: the coordinates of polygons are read as those of its transform"] == list(
        on_plain.notes
    )
    with pytest.raises(VectorError, match="does not say its CRS"):
        read_vector_set(write_vectors(tmp_path / "bare.gpkg", [far], None), [scene], VectorLabels())
    with pytest.raises(InputError, match="one name"):
        read_vector_set(some, [scene, scene], VectorLabels())


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (
            lambda shape, lonlat: (shapely.transform(lonlat, flip), "EPSG:4326"),
            "they would with x and y exchanged",
        ),
        (
            lambda shape, lonlat: (shapely.transform(shape, flip), "EPSG:32628"),
            "they would with x and y exchanged",
        ),
        (lambda shape, lonlat: (shape, "EPSG:32629"), "they would with the scene's coordinate system"),
        (lambda shape, lonlat: (lonlat, "EPSG:32628"), "they would with EPSG:4326 coordinate system"),
        (lambda shape, lonlat: (shapely.affinity.translate(shape, 9e4), "EPSG:32628"), ""),
    ],
)
def test_why_no_feature_lies_on_the_scene(tmp_path: Path, make: Any, reason: str) -> None:
    """Axes exchanged, a CRS declared wrongly, or simply another place: guessed by trying."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    shape_m = pixels(5, 5, 20, 20)
    lonlat = geopandas.GeoSeries([shape_m], crs="EPSG:32628").to_crs("EPSG:4326")[0]
    geometry, crs = make(shape_m, lonlat)
    geopandas.GeoDataFrame(geometry=[geometry], crs=crs).to_file(tmp_path / "a.gpkg")
    with pytest.raises(InputError, match="none of its 1 features lies on") as caught:
        read_vector_set(tmp_path / "a.gpkg", [scene], VectorLabels())

    assert reason in str(caught.value)
    assert bool(reason) == ("they would" in str(caught.value))


def flip(points: Any) -> Any:
    """Exchange x and y."""
    return points[:, ::-1]


def test_features_without_a_pixel_are_an_error(tmp_path: Path) -> None:
    """Slivers between the centres of pixels: refused, and nothing is left."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    slivers = write_vectors(tmp_path / "slivers.gpkg", [pixels(3.1, 3, 0.2, 9), pixels(8.1, 3, 0.2, 9)])
    with pytest.raises(InputError, match="not one pixel of 2 objects is drawn"):
        prepare(slivers, scene, target=tmp_path / "set")

    assert {"scene.tif", "slivers.gpkg"} == {path.name for path in tmp_path.iterdir()}


sides = st.integers(2, 12)


@given(st.lists(st.tuples(st.floats(0, 30), st.floats(0, 30), sides, sides, st.floats(0, 90)), max_size=6))
def test_windows_join(boxes: list[tuple[float, float, int, int, float]]) -> None:
    """A scene drawn in parts has the labels, rims and contacts of the whole."""
    placed = [
        shapely.affinity.rotate(pixels(row, col, height, width), angle)
        for row, col, height, width, angle in boxes
    ]
    features = SceneFeatures(
        np.array(placed, object), np.ones(len(placed), np.uint8), shapely.bounds(placed).reshape(-1, 4)
    )
    labels = VectorLabels(boundary=1, contact=2)
    classes = named_classes(["building", "boundary", "contact"])
    vectors = VectorSet(Path(), classes, labels, {}, {}, 0, 0)
    whole = draw_features(features, GRID, Window(0, 0, 40, 40), vectors)
    parts = [draw_features(features, GRID, Window(row, 0, 8, 40), vectors) for row in range(0, 40, 8)]
    assert whole.instances is not None

    assert np.array_equal(whole.mask, np.concatenate([p.mask for p in parts]))
    assert np.array_equal(
        whole.instances, np.concatenate([p.instances for p in parts if p.instances is not None])
    )


def test_rims_and_contacts_against_every_pixel_s_neighbours() -> None:
    """Counted one by one."""
    ids = np.random.default_rng(3).integers(0, 4, (9, 11)).astype(np.uint32)
    ids = np.kron(ids, np.ones((3, 3), np.uint32))
    padded = np.pad(ids, 2, mode="edge")
    near = [padded[r : r + ids.shape[0], c : c + ids.shape[1]] for r in range(5) for c in range(5)]
    rim = (ids > 0) & np.any([n != ids for n in near], axis=0)
    found = [[{int(n[r, c]) for n in near} - {0} for c in range(ids.shape[1])] for r in range(ids.shape[0])]

    assert np.array_equal(rim, rims(ids, 2))
    assert np.array_equal([[len(seen) > 1 for seen in row] for row in found], contacts(ids, 2))


@given(st.floats(5, 25), st.floats(5, 25), st.floats(4, 12), st.floats(4, 12), st.floats(0, 90))
def test_vectors_to_mask_to_vectors(
    col: float, row: float, height: float, width: float, angle: float
) -> None:
    """Traced again, the outline lies within half a pixel of where it was."""
    outline = shapely.affinity.rotate(pixels(row, col, height, width), angle)
    features = SceneFeatures(
        np.array([outline], object), np.ones(1, np.uint8), shapely.bounds([outline]).reshape(-1, 4)
    )
    ids = features.draw(GRID, all_touched=False)
    found = [shape(s) for s, value in traced(ids.astype(np.int32), ids > 0, transform=HALF_METRE) if value]
    ring = shapely.union_all(found).boundary
    # a corner's tip may lie between pixel centres; a side does not
    corners = shapely.MultiPoint(outline.exterior.coords)
    sides_only = outline.exterior.segmentize(SIDE / 4).difference(corners.buffer(2 * SIDE))
    apart = shapely.distance(ring, shapely.points(shapely.get_coordinates(sides_only)))

    assert apart.max(initial=0) <= 0.5 * SIDE * 1.001


def test_banepa_through_geojson_and_coco(data_dir: Path, tmp_path: Path) -> None:
    """1,466 polygons on the scene; chip by chip the two ways agree to IoU 0.97 or better."""
    folder = data_dir / "banepa"
    vectors = prepare(folder / "buildings.geojson", folder / "scene.tif", target=tmp_path / "vectors")
    coco = prepare_annotated(
        read_coco(folder / "coco" / "result.json"), Target(tmp_path / "coco", DataSource("c"))
    )
    mask = read_labels(vectors.items[0]).mask
    both = either = 0
    for item in coco.items:
        row, col = (int(part) * 512 for part in item.stem.rsplit("_", 2)[1:])
        chip, other = mask[row : row + 512, col : col + 512], read_labels(item).mask
        both, either = both + np.count_nonzero(chip & other), either + np.count_nonzero(chip | other)

    assert 1466 == vectors.items[0].objects
    assert both / either >= 0.97


def test_nothing_is_drawn_of_nothing() -> None:
    """No shapes, no labels."""
    assert not draw_shapes([], (5, 6), Window(0, 0, 5, 6)).mask.any()


def test_the_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many scenes there are; its coordinates are changed once for each system."""
    scenes = [write_scene(tmp_path / f"{i}.tif", (40, 50), seed=i) for i in range(3)]
    vectors = write_vectors(tmp_path / "v.gpkg", [pixels(4, 5, 10, 10)])
    calls: list[str] = []
    for name in ("read_polygons", "place_frame"):
        whole = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *a, n=name, f=whole: (calls.append(n), f(*a))[1])
    read_vector_set(vectors, scenes, VectorLabels())

    assert ["read_polygons", "place_frame"] == calls


def test_a_class_that_changed_is_drawn_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the classes lie in a file of their own, as a Shapefile's do."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    keys = []
    monkeypatch.setattr(module, "write_dataset", lambda recipe, samples, *a: keys.append(samples[0]))
    for kinds in (["a", "b"], ["a", "b"], ["b", "a"]):
        write_vectors(tmp_path / "new.shp", [pixels(4, 5, 9, 9), pixels(20, 5, 9, 9)], kind=kinds)
        for path in sorted(tmp_path.glob("new.*")):
            kept = path.with_name(f"v{path.suffix}")
            if not (kept.exists() and path.suffix == ".shp"):
                path.rename(kept)
        prepare(tmp_path / "v.shp", scene, target=tmp_path / "set", class_field="kind")

    assert keys[0] == keys[1] != keys[2]


def test_the_background_may_be_drawn(tmp_path: Path) -> None:
    """A feature of that class is pixels of 0, on top of what it lies on."""
    scene = write_scene(tmp_path / "scene.tif", (40, 50))
    shapes = [pixels(4, 5, 10, 10), pixels(6, 7, 4, 4)]
    vectors = write_vectors(tmp_path / "v.gpkg", shapes, kind=["roof", "Background"])
    dataset = prepare(vectors, scene, target=tmp_path / "set", class_field="kind")
    mask = read_labels(dataset.items[0]).mask

    assert ["background", "roof"] == [c.name for c in dataset.classes]
    assert [1, 0] == [mask[5, 6], mask[8, 9]]
    only = write_vectors(tmp_path / "only.gpkg", shapes, kind=["background", "background"])
    with pytest.raises(InputError, match="no class besides the background"):
        prepare(only, scene, target=tmp_path / "x", class_field="kind")
