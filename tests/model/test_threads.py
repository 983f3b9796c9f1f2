"""The number of torch's threads, lowered for a while."""

from __future__ import annotations

import pytest
import torch

from geoseg.runtime.computing import one_thread


def test_threads_come_back() -> None:
    """Inside there is one."""
    before = torch.get_num_threads()

    with one_thread():
        assert torch.get_num_threads() == 1

    assert torch.get_num_threads() == before


def test_threads_come_back_when_the_last_is_done() -> None:
    """Two runs in one process end in any order."""
    before = torch.get_num_threads()
    first, second = one_thread(), one_thread()

    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.get_num_threads() == 1
    second.__exit__(None, None, None)
    assert torch.get_num_threads() == before


def test_threads_come_back_after_an_error() -> None:
    """Whoever goes on after it computes as before."""
    before = torch.get_num_threads()

    with pytest.raises(ValueError, match="inside"), one_thread():
        raise ValueError("inside")

    assert torch.get_num_threads() == before
