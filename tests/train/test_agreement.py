"""How far bfloat16 agrees with float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geoseg.model.bundle import load_bundle
from geoseg.train import agreement
from geoseg.train.agreement import PrecisionAgreement, compare_precisions
from tests.support import make_test_bundle


def test_precisions_are_compared_on_patches(tmp_path: Path) -> None:
    """bf16 is near fp32."""
    bundle = load_bundle(make_test_bundle(tmp_path / "b"))
    patches = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64), dtype=np.uint8)
    agreement = compare_precisions(bundle, iter(patches), [0.5])

    assert 0 <= agreement.mean_abs <= agreement.max_abs < 0.5
    with pytest.raises(ValueError, match="no patches"):
        compare_precisions(bundle, [], [0.5])


def test_agreement_is_a_matter_of_mean_and_sides() -> None:
    """A single large difference does no harm; many small ones do, and pixels that change sides."""
    assert PrecisionAgreement(0.001, 0.5, 0.001).precision().agrees
    assert not PrecisionAgreement(0.001, 0.5, 0.02).precision().agrees
    assert not PrecisionAgreement(0.02, 0.5, 0.001).precision().agrees


def test_answers_may_be_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU they stay there, and a predictor may use the memory of its answer again."""

    class Elsewhere:
        answer = torch.zeros(1, 1, 8, 8, dtype=torch.bfloat16)

        def predict(self, patches: Any) -> torch.Tensor:
            self.answer += 0.25
            return self.answer

    monkeypatch.setattr(agreement, "make_predictor", lambda bundle, plan: Elsewhere())
    bundle = load_bundle(make_test_bundle(tmp_path / "b"))
    found = compare_precisions(bundle, [np.zeros((3, 64, 64), np.uint8)], [0.5])

    assert found.max_abs == 0.25


def test_classes_are_compared_not_the_first_channel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three classes: a first channel that crosses 0.5 changes no class, two others that swap ranks do."""
    exact = np.array([[0.49, 0.40], [0.30, 0.31], [0.21, 0.29]], np.float32)
    crossing = np.array([[0.51, 0.40], [0.29, 0.31], [0.20, 0.29]], np.float32)
    swapping = np.array([[0.49, 0.20], [0.30, 0.39], [0.21, 0.41]], np.float32)
    bundle = load_bundle(
        make_test_bundle(tmp_path / "b", classes=("ground", "road", "roof"), activation="softmax")
    )

    def flipped(rounded: np.ndarray) -> float:
        answers = {"fp32": exact, "bf16": rounded}

        class Fixed:
            def __init__(self, precision: str) -> None:
                self.answer = answers[precision][None, :, None, :]

            def predict(self, patches: Any) -> np.ndarray:
                return self.answer

        monkeypatch.setattr(agreement, "make_predictor", lambda bundle, plan: Fixed(plan.precision))
        return compare_precisions(bundle, [np.zeros((3, 64, 64), np.uint8)], [0.5]).flipped

    assert flipped(crossing) == 0.0
    assert flipped(swapping) == 0.5
