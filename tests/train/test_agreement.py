"""How far bfloat16 agrees with float32."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from geoseg.model.bundle import load_bundle
from geoseg.train import agreement
from geoseg.train.agreement import Agreement, compare_precisions
from tests.support import make_test_bundle


def test_precisions_are_compared_on_patches(tmp_path: Path) -> None:
    """bf16 is near fp32."""
    bundle = load_bundle(make_test_bundle(tmp_path / "b"))
    patches = np.random.default_rng(0).integers(0, 255, (2, 3, 64, 64), dtype=np.uint8)
    agreement = compare_precisions(bundle, iter(patches))

    assert 0 <= agreement.mean_abs <= agreement.max_abs < 0.5
    with pytest.raises(ValueError, match="no patches"):
        compare_precisions(bundle, [])


def test_agreement_is_a_matter_of_mean_and_sides() -> None:
    """A single large difference does no harm; many small ones do, and pixels that change sides."""
    assert Agreement(0.001, 0.5, 0.001).precision().agrees
    assert not Agreement(0.001, 0.5, 0.02).precision().agrees
    assert not Agreement(0.02, 0.5, 0.001).precision().agrees


def test_answers_may_be_tensors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU they stay there, and a predictor may use the memory of its answer again."""

    class Elsewhere:
        answer = torch.zeros(1, 1, 8, 8, dtype=torch.bfloat16)

        def predict(self, patches: Any) -> torch.Tensor:
            self.answer += 0.25
            return self.answer

    monkeypatch.setattr(agreement, "make_predictor", lambda bundle, plan: Elsewhere())
    bundle = load_bundle(make_test_bundle(tmp_path / "b"))
    found = compare_precisions(bundle, [np.zeros((3, 64, 64), np.uint8)])

    assert found.max_abs == 0.25
