"""One scene and one layer of outlines: cut by blocks with a buffer, objects whole or ignored."""

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from scipy import ndimage
from shapely.geometry import box

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.core import NODATA
from geoseg.dataset.annotated import Target
from geoseg.dataset.items import DataSet, DataSource
from geoseg.dataset.store import open_dataset, read_labels
from geoseg.dataset.vectors import VectorLabels, prepare_vectors, read_vector_set
from tests.scenes import write_scene

LEFT, TOP, SIDE = 500000.0, 3000000.0, 0.4
SIZE = (640, 560)


def prepare(folder: Path) -> DataSet:
    """A scene with a building of 12 x 16 pixels at every 24 pixels, some turned."""
    scene = write_scene(folder / "scene.tif", SIZE)
    houses = []
    for row in range(2, SIZE[0] - 20, 24):
        for col in range(2, SIZE[1] - 20, 24):
            x, y = LEFT + col * SIDE, TOP - row * SIDE
            house = box(x, y - 16 * SIDE, x + 12 * SIDE, y)
            houses.append(shapely.affinity.rotate(house, 30) if (row + col) % 5 == 0 else house)
    geopandas.GeoDataFrame(geometry=houses, crs="EPSG:32628").to_file(folder / "houses.gpkg")
    found = read_vector_set(folder / "houses.gpkg", [scene], VectorLabels())
    return prepare_vectors(found, Target(folder / "set", DataSource("test")))


def parts_of(folder: Path) -> dict[str, Any]:
    """The labels of each part."""
    dataset = open_dataset(folder)
    return {name: read_labels(dataset[f"scene_{name}"]) for name, stems in dataset.splits.items() if stems}


@pytest.mark.parametrize("options", [[], ["--buffer", "12"], ["--test", "0.2", "--seed", "3"]])
def test_a_scene_is_cut_by_blocks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    """No labelled pixel within the buffer of another part; each object whole or not there; nothing copied."""
    whole = read_labels(prepare(tmp_path).items[0])
    assert 0 == run(cli, ["split", str(tmp_path / "set"), "--json", *options])
    told = json.loads(capsys.readouterr().out)
    parts = parts_of(tmp_path / "set")
    buffer_px = 30 if "--buffer" in options else 35
    known = {name: labels.mask != NODATA for name, labels in parts.items()}
    wanted = (
        {"train": 0.6, "valid": 0.2, "test": 0.2} if "--test" in options else {"train": 0.8, "valid": 0.2}
    )
    total = sum(int(area.sum()) for area in known.values())

    assert set(wanted) == set(parts)
    assert {"m": buffer_px * SIDE} == pytest.approx(told["buffer"], rel=1e-3)
    for name, labels in parts.items():
        for other in set(known) - {name}:
            assert buffer_px <= ndimage.distance_transform_edt(~known[other])[known[name]].min()
        assert np.array_equal(whole.mask[known[name]], labels.mask[known[name]])
        ids = np.unique(labels.instances[labels.instances > 0])
        assert all((labels.instances == i).sum() == (whole.instances == i).sum() for i in ids)
        assert not (labels.instances[labels.mask != 1] > 0).any()
        assert abs(known[name].sum() / total - wanted[name]) < 0.12
        assert len(ids) == open_dataset(tmp_path / "set")[f"scene_{name}"].objects
    assert ["scene.tif"] == [path.name for path in (tmp_path / "set/images").iterdir()]
    assert not [path for path in (tmp_path / "set").iterdir() if path.name.startswith(".")]


def test_it_is_cut_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """From the whole scene, with --overwrite; without it the lists stay."""
    prepare(tmp_path)
    assert 0 == run(cli, ["split", str(tmp_path / "set"), "--test", "0.1"])
    assert 1 == run(cli, ["split", str(tmp_path / "set")])
    assert {"train", "valid", "test"} == set(parts_of(tmp_path / "set"))
    assert 0 == run(cli, ["split", str(tmp_path / "set"), "--overwrite"])
    assert {"train", "valid"} == set(parts_of(tmp_path / "set"))
    capsys.readouterr()
    for words, message in (
        (["--strategy", "random"], "can only be cut into blocks"),
        (["--buffer", "300"], "leaves no"),
    ):
        assert 1 == run(cli, ["split", str(tmp_path / "set"), "--overwrite", *words])
        assert message in capsys.readouterr().err
    assert {"train", "valid"} == set(parts_of(tmp_path / "set"))


def test_training_reads_it(tmp_path: Path) -> None:
    """Training windows are drawn around training labels, and only tiles with labels are validated on."""
    from geoseg.train.fingerprint import look_at
    from geoseg.train.windows import tiles_of

    prepare(tmp_path)
    assert 0 == run(cli, ["split", str(tmp_path / "set")])
    data = look_at([open_dataset(tmp_path / "set")], lambda images: None)
    known = {name: labels.mask != NODATA for name, labels in parts_of(tmp_path / "set").items()}
    cells = [known["train"][row : row + 64, col : col + 64].any() for _, row, col in data.census.cells]
    places = tiles_of(data.valid, 64, None)

    assert all(cells)
    assert (1, 1) == (len(data.train), len(data.valid))
    assert places
    for place in places:
        window = place.window
        assert known["valid"][window.row : window.stop_row, window.col : window.stop_col].any()
