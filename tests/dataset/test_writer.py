"""Data sets are made whole or not at all, and go on where they were stopped."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image

from geoseg.core import NODATA, ClassList, LabelClass, Window
from geoseg.dataset.item_writer import LabelledImage
from geoseg.dataset.items import DataSource, Labels
from geoseg.dataset.staging import StagingFolder, replaced
from geoseg.dataset.store import open_dataset, read_image, read_labels
from geoseg.dataset.writer import DataSetSettings, write_dataset
from geoseg.errors import InputError, OutputError
from geoseg.raster import Scene, open_scene
from tests.scenes import write_scene

CLASSES = ClassList((LabelClass(0, "background", "#000000"), LabelClass(1, "roof", "#FF0000")))


def recipe(target: Path, **more: Any) -> DataSetSettings:
    """A data set of one source."""
    return DataSetSettings(target, CLASSES, (DataSource("here", "CC0", 2.0),), **more)


def draw(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
    """Objects 1 and 2, side by side."""
    cols = np.mgrid[: window.height, : window.width][1]
    ids = np.where(cols < 3, 1, np.where(cols < 5, 2, 0)).astype(np.uint32)
    return Labels((ids > 0).astype(np.uint8), ids)


def placed(folder: Path, count: int = 3, **more: Any) -> list[LabelledImage]:
    """Samples with a place on the ground."""
    folder.mkdir(exist_ok=True)
    return [
        LabelledImage(f"s{i}", write_scene(folder / f"s{i}.tif", (40, 50), seed=i, **more), "here", objects=2)
        for i in range(count)
    ]


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    """Images byte for byte, the place to the last bit, ids, ignored pixels, counts, statistics."""
    samples = placed(
        tmp_path / "in", transform=rasterio.transform.Affine(0.1, 0.02, 1 / 3, 0.03, -0.1, 2 / 3)
    )
    made = write_dataset(recipe(tmp_path / "set", splits={"valid": ["s1"]}), samples, draw)
    dataset = open_dataset(tmp_path / "set")
    pixels, valid = zip(*((a.pixels, a.valid) for a in map(read_image, dataset.items)), strict=True)

    assert made == dataset
    assert (("s0", "s2"), ("s1",)) == (dataset.splits["train"], dataset.splits["valid"])
    for item, sample in zip(dataset.items, samples, strict=True):
        labels = read_labels(item)
        assert sample.image.read_bytes() == item.image.read_bytes()
        assert item.mask is not None
        assert item.instances is not None
        assert labels.instances is not None
        with (
            open_scene(item.image) as image,
            open_scene(item.mask) as mask,
            open_scene(item.instances) as ids,
        ):
            assert image.info.grid == mask.info.grid == ids.info.grid
            hidden = ~read_image(item).valid
        assert hidden.any()
        assert np.array_equal(labels.mask == NODATA, hidden)
        assert {0, 1, 2} == set(np.unique(labels.instances))
        assert [np.count_nonzero(labels.mask == v) for v in (0, 1, NODATA)] == list(item.counts)
        assert ("here", 2.0, 2, (40, 50)) == (item.source, item.weight, item.objects, item.size)
        assert 0 < (item.gsd_m or 0) < 0.2
    values = np.concatenate([p[:, v] for p, v in zip(pixels, valid, strict=True)], axis=1).astype(float)
    statistics = dataset.statistics
    assert statistics is not None
    assert np.allclose(values.mean(axis=1), statistics.mean)
    assert np.allclose(values.std(axis=1), statistics.std)
    assert np.allclose(values.min(axis=1), statistics.minimum)
    assert np.allclose(np.percentile(values, 98, axis=1), statistics.high, atol=1)


def test_pictures_without_a_place_get_png_masks(tmp_path: Path) -> None:
    """In the classes' colours, so that any program shows them; alpha is validity and no band."""
    pixels = np.full((8, 9, 4), 200, np.uint8)
    pixels[0, 0, 3] = 0
    Image.fromarray(pixels).save(tmp_path / "a.png")
    dataset = write_dataset(recipe(tmp_path / "set"), [LabelledImage("a", tmp_path / "a.png", "here")], draw)
    (item,) = dataset.items
    assert item.mask is not None
    colours = np.asarray(Image.open(item.mask).convert("RGB"))

    assert ("red", "green", "blue") == dataset.bands
    assert (3, 8, 9) == read_image(item).pixels.shape
    assert ["masks/a.png", None] == [item.mask.relative_to(dataset.folder).as_posix(), item.instances]
    assert [NODATA, 1, 0] == [read_labels(item).mask[0, col] for col in (0, 1, 8)]
    assert [[255, 0, 0], [0, 0, 0]] == [colours[0, col].tolist() for col in (1, 8)]


def test_files_beside_an_image_come_along(tmp_path: Path) -> None:
    """A world file and an external mask say where the image lies and what of it is data."""
    Image.fromarray(np.full((8, 9, 3), 7, np.uint8)).save(tmp_path / "a.png")
    (tmp_path / "a.pgw").write_text("0.5\n0\n0\n-0.5\n100.25\n200.75\n")
    Image.fromarray(np.eye(8, 9, dtype=np.uint8) * 255).save(tmp_path / "m.tif")
    (tmp_path / "m.tif").rename(tmp_path / "a.png.msk")
    (item,) = write_dataset(
        recipe(tmp_path / "set"), [LabelledImage("b.c", tmp_path / "a.png", "here")], draw
    ).items

    with open_scene(item.image) as scene:
        assert (0.5, 0.0, 100.0, 0.0, -0.5, 201.0) == scene.info.grid.transform
    assert 8 == read_image(item).valid.sum()
    assert 8 == (read_labels(item).mask != NODATA).sum()
    assert ["b.c.pgw", "b.c.png", "b.c.png.msk"] == sorted(p.name for p in item.image.parent.iterdir())


def test_the_fingerprint_tells_data_sets_apart(tmp_path: Path) -> None:
    """The same images and labels have the same; another label has another."""
    samples = placed(tmp_path / "in")
    first = write_dataset(recipe(tmp_path / "1"), samples, draw)
    again = write_dataset(recipe(tmp_path / "2"), samples[::-1], draw)
    other = write_dataset(
        recipe(tmp_path / "3"), samples, lambda *a: Labels(np.roll(draw(*a).mask, 1, axis=1))
    )

    assert first.fingerprint == again.fingerprint != other.fingerprint


def test_a_stopped_run_goes_on(tmp_path: Path) -> None:
    """What is finished is not drawn again; the result is that of an unbroken run."""
    samples = placed(tmp_path / "in", 12)
    drawn: list[str] = []

    def stopping(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        drawn.append(sample.stem)
        if len(drawn) == 9:
            raise KeyboardInterrupt
        return draw(sample, scene, window)

    def watching(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        drawn.append(sample.stem)
        return draw(sample, scene, window)

    with pytest.raises(KeyboardInterrupt):
        write_dataset(recipe(tmp_path / "set"), samples, stopping)
    assert not (tmp_path / "set").exists()
    journal = tmp_path / ".set.geoseg-part" / "journal.jsonl"
    kept = len(journal.read_text().splitlines())
    with journal.open("a") as file:
        file.write('{"key": "cut o')
    drawn.clear()
    done = write_dataset(recipe(tmp_path / "set"), samples, watching)

    assert kept > 0
    assert len(drawn) == 12 - kept
    assert done.fingerprint == write_dataset(recipe(tmp_path / "whole"), samples, draw).fingerprint
    assert ["in", "set", "whole"] == sorted(p.name for p in tmp_path.iterdir())
    for folder in ("images", "masks"):
        names = [{p.name for p in (tmp_path / d / folder).iterdir()} for d in ("set", "whole")]
        assert names[0] == names[1]


def test_what_changed_meanwhile_is_made_anew(tmp_path: Path) -> None:
    """An entry counts only for the same image and options; leftovers of others go."""
    samples = placed(tmp_path / "in", 6)

    def stopping(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        if sample.stem == "s5":
            raise KeyboardInterrupt
        return draw(sample, scene, window)

    with pytest.raises(KeyboardInterrupt):
        write_dataset(recipe(tmp_path / "set"), samples, stopping)
    write_scene(samples[0].image, (20, 30), seed=99)
    dataset = write_dataset(recipe(tmp_path / "set"), samples[:2], draw)

    assert [(20, 30), (40, 50)] == [item.size for item in dataset.items]
    assert {"s0.tif", "s1.tif"} == {p.name for p in (tmp_path / "set" / "images").iterdir()}


def test_failures_leave_nothing(tmp_path: Path) -> None:
    """Wrong input is told in one message, before or after work began, and no folder stays."""
    samples = placed(tmp_path / "in")

    def failing(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        raise InputError("no", "yes")

    for wrong, told in (
        ([], "no images"),
        ([*samples, samples[0]], "have the name of another"),
        (
            [LabelledImage("x", tmp_path / "x.tif", "here"), LabelledImage("y", tmp_path / "y.tif", "here")],
            "2 images are missing",
        ),
        (
            [*samples, LabelledImage("g", write_scene(tmp_path / "in" / "g.tif", (9, 9), bands=1), "here")],
            "unlike",
        ),
    ):
        with pytest.raises(InputError, match=told):
            write_dataset(recipe(tmp_path / "set"), wrong, draw)
    with pytest.raises(InputError, match="no"):
        write_dataset(recipe(tmp_path / "set"), samples, failing)
    assert ["in"] == [p.name for p in tmp_path.iterdir()]


def test_only_data_sets_are_replaced(tmp_path: Path) -> None:
    """A folder of somebody else's stays, whatever is asked for."""
    samples = placed(tmp_path / "in")
    first = write_dataset(recipe(tmp_path / "set"), samples, draw)
    with pytest.raises(OutputError, match="exists"):
        write_dataset(recipe(tmp_path / "set"), samples, draw)
    second = write_dataset(recipe(tmp_path / "set", overwrite=True), samples[:1], draw)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    with pytest.raises(OutputError, match="no data set"):
        write_dataset(recipe(tmp_path / "mine", overwrite=True), samples, draw)

    assert [3, 1] == [len(first), len(second)]
    assert ["in", "mine", "set"] == sorted(p.name for p in tmp_path.iterdir())


def test_a_link_to_a_folder_is_followed(tmp_path: Path) -> None:
    """The data set goes where the link leads, again and again, and the link stays."""
    samples = placed(tmp_path / "in")
    (tmp_path / "disk" / "set").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "set")
    write_dataset(recipe(tmp_path / "link"), samples, draw)
    again = write_dataset(recipe(tmp_path / "link", overwrite=True), samples[:1], draw)

    assert 1 == len(again) == len(open_dataset(tmp_path / "disk" / "set"))
    assert (tmp_path / "link").is_symlink()
    assert ["disk", "in", "link"] == sorted(p.name for p in tmp_path.iterdir())
    assert ["set"] == [p.name for p in (tmp_path / "disk").iterdir()]


def test_what_cannot_be_removed_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new data set is in place; what it replaced is told, and goes with the next."""
    samples = placed(tmp_path / "in")
    write_dataset(recipe(tmp_path / "set"), samples, draw)
    with monkeypatch.context() as patched:
        patched.setattr("geoseg.dataset.staging.shutil.rmtree", lambda *a, **k: None)
        for count in (1, 2):
            assert count == len(
                write_dataset(recipe(tmp_path / "set", overwrite=True), samples[:count], draw)
            )
    assert 2 == len(replaced(tmp_path / "set"))
    write_dataset(recipe(tmp_path / "set", overwrite=True), samples, draw)
    assert [] == replaced(tmp_path / "set")


def test_finished_work_survives_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk or a wrong label stops a run; the next asks for the space of the rest alone."""
    samples = placed(tmp_path / "in", 12)
    drawn: list[str] = []
    asked: list[int] = []

    def failing(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        if len(drawn) == 9:
            raise OutputError("the disk is full", "free some space")
        return watching(sample, scene, window)

    def watching(sample: LabelledImage, scene: Scene, window: Window) -> Labels:
        drawn.append(sample.stem)
        return draw(sample, scene, window)

    monkeypatch.setattr("geoseg.dataset.writer.check_space", lambda folder, needed: asked.append(needed))
    with pytest.raises(OutputError, match="full"):
        write_dataset(recipe(tmp_path / "set"), samples, failing)
    drawn.clear()
    write_dataset(recipe(tmp_path / "set"), samples, watching)

    size = {s.stem: s.image.stat().st_size for s in samples}
    assert 0 < len(drawn) < 12
    assert [sum(size.values()), sum(size[stem] for stem in drawn)] == asked
    assert ["in", "set"] == sorted(p.name for p in tmp_path.iterdir())


@pytest.mark.parametrize("owner", [None, "0badcafe 1"])
def test_one_run_at_a_time(tmp_path: Path, owner: str | None) -> None:
    """Another run is refused, also one that this machine cannot see; the remedy names the file in the way."""
    folder = tmp_path / ".set.geoseg-part"
    with StagingFolder(tmp_path / "set", overwrite=False) as other:
        other.note("key", {})
        if owner is None:
            with pytest.raises(
                OutputError, match=r"another run makes it .*delete .*/\.set\.geoseg-part/owner"
            ):
                StagingFolder(tmp_path / "set", overwrite=False)
    if owner is not None:
        (folder / "owner").write_text(owner)
        with pytest.raises(OutputError, match="another container or on another machine"):
            StagingFolder(tmp_path / "set", overwrite=False)
        (folder / "owner").unlink()
    with StagingFolder(tmp_path / "set", overwrite=False) as mine:
        assert {"key": {}} == mine.finished


def test_a_killed_run_s_claim_ends_with_it(tmp_path: Path) -> None:
    """Whatever its process number is by now: the lock went with it."""
    script = (
        "import os; from pathlib import Path; from geoseg.dataset.staging import StagingFolder;"
        f"w = StagingFolder(Path({str(tmp_path / 'set')!r}), False).__enter__();"
        "w.note('key', {}); os._exit(9)"
    )
    assert 9 == subprocess.run([sys.executable, "-c", script], check=False).returncode
    with StagingFolder(tmp_path / "set", overwrite=False) as mine:
        assert {"key": {}} == mine.finished


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda d: d.pop("classes"), "damaged"),
        (lambda d: d.update(format=99), "format 99"),
        (lambda d: d["items"][0].update(image="../../etc/x.tif"), "does not lie in the data set"),
        (lambda d: d["items"][0].update(mask="masks/gone.tif"), "1 files are missing"),
    ],
)
def test_damaged_descriptions_are_refused(tmp_path: Path, change: Any, told: str) -> None:
    """A description cannot send the reader elsewhere, nor promise what is not there."""
    write_dataset(recipe(tmp_path / "set"), placed(tmp_path / "in", 1), draw)
    path = tmp_path / "set" / "dataset.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))

    with pytest.raises(InputError, match=told):
        open_dataset(tmp_path / "set")


def test_a_killed_command_goes_on(tmp_path: Path) -> None:
    """Kill -9 in the middle: nothing under the name, and the next run takes over what is finished."""
    (tmp_path / "images").mkdir()
    for i in range(60):
        write_scene(tmp_path / "images" / f"i{i:02}.tif", (256, 256), seed=i)
    images = [{"id": i, "file_name": f"i{i:02}.tif"} for i in range(60)]
    outline = [10, 10, 100, 10, 100, 100, 10, 100]
    annotations = [{"id": i, "image_id": i, "category_id": 0, "segmentation": [outline]} for i in range(60)]
    data = {"images": images, "annotations": annotations, "categories": [{"id": 0, "name": "roof"}]}
    (tmp_path / "labels.json").write_text(json.dumps(data))
    command = [sys.executable, "-m", "geoseg", "prepare", "coco", "labels.json", "-o", "set", "--json"]
    journal = tmp_path / ".set.geoseg-part" / "journal.jsonl"
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as run:
        while run.poll() is None and not (journal.is_file() and journal.stat().st_size > 3000):
            time.sleep(0.005)
        if run.poll() is None:
            os.kill(run.pid, signal.SIGKILL)

    if not (tmp_path / "set").exists():
        assert journal.is_file()
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert 60 == len(open_dataset(tmp_path / "set"))
    assert not journal.exists()
