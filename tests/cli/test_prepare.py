"""``geoseg prepare`` as a user meets it."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import numpy as np
import pytest
from PIL import Image

from geoseg.cli.boundary import run
from geoseg.cli.main import cli
from geoseg.cli.prepare import FORMS, command
from geoseg.dataset.store import open_dataset
from tests.dataset.test_coco import SQUARE, annotation, write_coco
from tests.dataset.test_masks import BLUE, RED, folder_of
from tests.dataset.test_yolo import SQUARE as YOLO
from tests.dataset.test_yolo import write_yolo


def test_help_lists_every_form_as_it_describes_itself() -> None:
    """The table that keeps ``--help`` fast says what the commands themselves say."""
    with click.Context(command) as context:
        said = {}
        for name in FORMS:
            form = command.get_command(context, name)
            assert form is not None
            said[name] = (form.help or "").split("\n\n")[0].replace("\n", " ")

    assert said == FORMS


def test_coco_tells_what_was_irregular(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By kind on stderr, counts on stdout, the same for machines with --json."""
    path = write_coco(tmp_path, [annotation(1, [SQUARE]), annotation(2, []), annotation(3, [], 2)])
    words = ["prepare", "coco", str(path), "--source", "here", "--licence", "CC0", "--gsd-m", "0.3"]

    assert 0 == run(cli, [*words, "-o", str(tmp_path / "set")])
    told = capsys.readouterr()
    assert "irregular: empty segmentation: 2 (first: 2 in a.png)" in told.err
    assert ["objects", "1"] in [line.split() for line in told.out.splitlines()]
    assert 0 == run(cli, [*words, "-o", str(tmp_path / "best"), "--drop-empty", "--json"])
    data = json.loads(capsys.readouterr().out)
    assert (1, 1, 1) == (data["images"], data["objects"], data["left_out"])
    dataset = open_dataset(tmp_path / "best")
    assert ("here", "CC0", 0.3) == (
        dataset.sources[0].name,
        dataset.sources[0].licence,
        dataset.items[0].gsd_m,
    )


def test_palette_and_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Colours and values on the command line; a file of raw ids."""
    colours = folder_of(tmp_path / "colours", {"a": np.array([[RED, BLUE]], np.uint8)})
    values = folder_of(tmp_path / "values", {"a": [[7, 8, 11]]})
    (tmp_path / "map.csv").write_text("raw,id\n7,0\n8,1\n")
    palette = ["prepare", "palette", str(colours), "--class", "red=#FF0000", "-o", str(tmp_path / "p")]
    folders = [
        "prepare",
        "folders",
        str(values),
        "-o",
        str(tmp_path / "f"),
        "--map",
        str(tmp_path / "map.csv"),
    ]

    assert 1 == run(cli, palette)
    assert "colours of no class: #0000FF (1 px)" in capsys.readouterr().err
    assert 0 == run(cli, [*palette, "--unknown", "background", "--json"])
    assert {"background": 1, "red": 1} == json.loads(capsys.readouterr().out)["pixels"]
    assert 0 == run(cli, [*folders, "--json"])
    data = json.loads(capsys.readouterr().out)
    assert ([1, 1], 1) == (list(data["pixels"].values()), data["ignored_pixels"])


@pytest.mark.parametrize(
    "words",
    [
        ["palette", "x", "--class", "=3"],
        ["palette", "x", "--class", "a=#12"],
        ["palette", "x", "--class", "a=1", "--classes", "y"],
        ["folders", "x", "--map", "a=b"],
        ["folders", "x", "--map", "a,7=0"],
        ["folders", "x", "--mask-nodata", "some"],
        ["merge", "x", "y", "--weight", "z"],
        ["vectors", "x"],
        ["coco", "x", "--keep-cleanest", "0"],
    ],
)
def test_wrong_words(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """What an option cannot be is a matter of usage: exit 2."""
    assert 2 == run(cli, ["prepare", *words, "-o", str(tmp_path / "set")])
    assert "Error" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("\ufeff7,0\n8,1\n".encode(), [1, 1]),
        (b"raw,id\n7,0\n8,1\n", [1, 1]),
        (b"", "holds no pairs"),
        (b"7,O\n8,1\n", "line 1: '7,O' is no pair"),
        (b"7,0\n8\n", "line 2: '8' is no pair"),
        ("Wert f\u00fcr\n7,0\n".encode("latin-1"), "cannot be read"),
    ],
)
def test_files_of_pairs(
    tmp_path: Path, content: bytes, told: str | list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    """No pair is lost on the way: a byte order mark is none's part, and a header holds no number."""
    folder = folder_of(tmp_path / "values", {"a": [[7, 8, 11]]})
    (tmp_path / "map.csv").write_bytes(content)
    words = ["prepare", "folders", str(folder), "-o", str(tmp_path / "set"), "--json", "--map"]
    code = run(cli, [*words, str(tmp_path / "map.csv")])
    out, err = capsys.readouterr()

    if isinstance(told, str):
        assert (1, True) == (code, told in err), err
        assert "Traceback" not in err
    else:
        assert (0, told) == (code, list(json.loads(out)["pixels"].values())), err


def test_merge(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Images by source."""
    for name in ("one", "two"):
        write_yolo(tmp_path / f"{name}-yolo", {name: YOLO})
        words = ["prepare", "yolo", str(tmp_path / f"{name}-yolo"), "--class", "roof", "--source", name]
        assert 0 == run(cli, [*words, "-o", str(tmp_path / name)])
    capsys.readouterr()
    words = [
        "prepare",
        "merge",
        str(tmp_path / "one"),
        str(tmp_path / "two"),
        "--weight",
        "two=0.5",
        "--json",
    ]

    assert 0 == run(cli, [*words, "-o", str(tmp_path / "both")])
    assert {"one": 1, "two": 1} == json.loads(capsys.readouterr().out)["sources"]
    assert [1.0, 0.5] == [item.weight for item in open_dataset(tmp_path / "both").items]


def test_a_stopped_command_says_how_it_goes_on(tmp_path: Path) -> None:
    """Ctrl-C: exit 130, one line; the same command completes the work."""
    (tmp_path / "images").mkdir()
    for i in range(80):
        Image.fromarray(np.full((256, 256, 3), i, np.uint8)).save(tmp_path / "images" / f"i{i:02}.png")
    images = [{"id": i, "file_name": f"i{i:02}.png"} for i in range(80)]
    found = [annotation(i, [SQUARE], i, 0) for i in range(80)]
    categories = [{"id": 0, "name": "roof"}]
    text = json.dumps({"images": images, "annotations": found, "categories": categories})
    (tmp_path / "labels.json").write_text(text)
    words = [sys.executable, "-m", "geoseg", "prepare", "coco", "labels.json", "-o", "set"]
    journal = tmp_path / ".set.geoseg-part" / "journal.jsonl"
    with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as stopped:
        while stopped.poll() is None and not (journal.is_file() and journal.stat().st_size):
            time.sleep(0.002)
        stopped.send_signal(signal.SIGTERM)
        told = stopped.communicate()[1]
    if stopped.returncode == 0:
        pytest.skip("it was done before it could be stopped")

    assert (130, "geoseg: stopped (the same command goes on from here)\n") == (
        stopped.returncode,
        told.lstrip(),
    )
    assert not (tmp_path / "set").exists()
    assert 0 == subprocess.run(words, cwd=tmp_path, check=False, capture_output=True).returncode
    assert 80 == len(open_dataset(tmp_path / "set"))
