"""Recipes: one form that people read and edit."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from geoseg.errors import OptionError
from geoseg.train.recipe import (
    Fitting,
    Input,
    Loss,
    Network,
    Recipe,
    Sampling,
    parse_settings,
    read_entries,
    with_entries,
)

recipes = st.builds(
    Recipe,
    network=st.builds(Network, edges=st.booleans(), encoder_weights=st.none() | st.just("imagenet")),
    input=st.builds(Input, gsd_m=st.none() | st.just((0.2, 0.5))),
    sampling=st.builds(Sampling, patch=st.integers(1, 16).map(lambda k: 32 * k), balance=st.floats(0, 1)),
    loss=st.builds(Loss, class_weights=st.none() | st.just((1.0, 2.0))),
    fitting=st.builds(Fitting, epochs=st.integers(1, 99), rate=st.floats(1e-6, 1)),
    threshold=st.none() | st.floats(0.1, 0.9),
)


@given(recipes)
def test_json_and_back(recipe: Recipe) -> None:
    """What is written is what is read."""
    assert recipe == Recipe.from_json(json.loads(json.dumps(recipe.to_json())))


def test_entries_change_what_they_name_and_nothing_else() -> None:
    """Groups are merged, values replaced."""
    changed = with_entries(
        Recipe(), parse_settings(["fitting.epochs=20", 'loss.terms={"focal": 2}', "name=roofs", "seed=7"])
    )

    fitting = replace(Recipe().fitting, epochs=20)
    loss = replace(Recipe().loss, terms={"focal": 2})
    assert replace(Recipe(), fitting=fitting, loss=loss, name="roofs", seed=7) == changed


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("fitting.epoch=20", "there is no entry fitting.epoch"),
        ("fitting.epochs=many", "fitting.epochs='many' is no int"),
        ("fitting.epochs=0", "above 0"),
        ("fitting.schedule=zigzag", "cosine, one-cycle, constant"),
        ("fitting=3", "fitting is a group of entries"),
        ('loss.terms={"hinge": 1}', "hinge"),
        ("input.gsd_m=[0.2]", "input.gsd_m"),
        ("seed=1.5", "seed=1.5 is no int"),
        ("seed=-1", "seed lies"),
        ("threshold=1.5", "threshold lies"),
        ("threshold=NaN", "threshold lies"),
        ("min_area_m2=-1", "min_area_m2"),
        ("sampling.batch=0", "sampling.batch"),
        ("sampling.patch=100", "a multiple of 32"),
        ("sampling.balance=2", "sampling.balance"),
        ("loss.class_weights=[-1, 1]", "loss.class_weights"),
        ('loss.terms={"dice": "x"}', "the weight of loss term dice"),
        ("loss.contact=100", "loss.contact"),
        ("augment.zoom=-1", "augment.zoom"),
        ("augment.noise=2", "augment.noise"),
        ("fitting.average=1", "fitting.average"),
        ("fitting.clip=-1", "fitting.clip"),
        ("fitting.rate=Infinity", "rate are above 0"),
        ("input.gain=[1]", "one number per band"),
        ("input.gain=[0, 1, 1]", "input.gain"),
        ("input.high=[0, 1, 1]", "input.low is below high"),
        ("input.gsd_m=[2, 1]", "fine to coarse"),
    ],
)
def test_what_a_recipe_cannot_be_is_named(setting: str, words: str) -> None:
    """With the entry it is about."""
    with pytest.raises(OptionError, match=words.replace("[", r"\[").replace("(", r"\(")):
        with_entries(Recipe(), parse_settings([setting]))


def test_settings_need_a_value() -> None:
    """And a key."""
    with pytest.raises(OptionError, match="KEY=VALUE"):
        parse_settings(["fitting.epochs"])
    with pytest.raises(OptionError, match="fitting has a value of its own"):
        parse_settings(["fitting=3", "fitting.epochs=2"])


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    """Are refused by name."""
    path = tmp_path / "recipe.json"
    for text, words in (("{", "no JSON"), ("[1]", "no recipe")):
        path.write_text(text)
        with pytest.raises(OptionError, match=words):
            read_entries(path)
    with pytest.raises(OptionError, match="cannot be read"):
        read_entries(tmp_path / "none.json")
