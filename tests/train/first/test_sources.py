import numpy as np
from PIL import Image

from geoseg.dataset.outlines import Box
from geoseg.train.first.sources import SyntheticScenes, YoloChips


def test_yolo_chips(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    Image.fromarray(np.full((20, 40, 3), 200, np.uint8)).save(tmp_path / "images" / "a.jpg")
    (tmp_path / "labels" / "a.txt").write_text("0 0 0 0.5 0 0.5 1 0 1\n")
    chips = YoloChips(tmp_path, 0.4)
    assert len(chips) == 1
    chip = chips.load(0)
    assert chip.pixels.shape == (20, 40, 3)
    assert chip.labels.burn(Box(0, 0, 40, 20), (20, 40)).sum() == 20 * 20


def test_synthetic_scenes_are_drawn_once(tmp_path):
    scenes = SyntheticScenes(tmp_path, count=2, gsd_m=0.5, size=(96, 128))
    first = scenes.load(1)
    assert [path.name for path in tmp_path.iterdir()] == ["00001.npz"]
    again = scenes.load(1)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert first.pixels.shape == (96, 128, 3)
    assert first.valid is not None
    assert first.valid.shape == (96, 128)
