"""Search spaces: what is checked of them, and their points."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab.campaigns.space import Base, check_space, corners
from visionlab.config.search import Parameter
from visionlab.errors import ConfigError

DIGITS = ["experiment=digits"]


def test_corners_are_all_ends_and_choices_that_the_conditions_allow() -> None:
    space = {
        "optimizer": Parameter(choices=("sgd", "adamw")),
        "optimizer.lr": Parameter(float=(0.1, 0.2)),
        "optimizer.momentum": Parameter(float=(0.5, 0.9), when={"optimizer": ("sgd",)}),
    }
    found = [tuple(settings.values()) for settings in corners(space)]
    momenta = [("sgd", lr, momentum) for lr in (0.1, 0.2) for momentum in (0.5, 0.9)]
    assert found == [*momenta, ("adamw", 0.1), ("adamw", 0.2)]


def test_every_value_of_a_grid() -> None:
    space = {"a": Parameter(int=(2, 8), step=3), "b": Parameter(float=(0.0, 0.3), step=0.1)}
    found = list(corners(space, every_value=True))
    assert [settings["a"] for settings in found[::4]] == [2, 5, 8]
    assert [settings["b"] for settings in found[:4]] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_value_between_the_ends_that_is_invalid_is_found() -> None:
    """The ends are valid, as is each setting by itself."""
    base = Base([*DIGITS, "data.folds=3"])
    with pytest.raises(ConfigError, match=r"data\.fold: expected 0 to 2"):
        check_space(base, {"data.fold": Parameter(choices=(0, 3, 1))})


def test_a_combination_that_is_invalid_is_found_in_a_space_of_many_corners() -> None:
    many = {f"model.{name}": Parameter(float=(0.0, 0.3)) for name in ("dropout",)}
    many |= {
        "optimizer.lr": Parameter(float=(0.1, 0.2)),
        "optimizer.weight_decay": Parameter(float=(0.1, 0.2)),
        "model.width": Parameter(int=(8, 16)),
        "data.batch_size": Parameter(int=(32, 64)),
        "data.eval_batch_size": Parameter(int=(32, 64)),
        "data.fraction": Parameter(float=(0.5, 1.0)),
        "trainer.max_epochs": Parameter(int=(1, 2)),
        "trainer.log_every": Parameter(int=(1, 2)),
        "trainer.gradient_clip": Parameter(float=(0.1, 1.0)),
        "trainer.accelerator": Parameter(choices=("auto", "cpu")),
        "trainer.precision": Parameter(choices=("auto", "16-mixed")),
    }
    with pytest.raises(ConfigError, match="16-mixed needs a GPU"):
        check_space(Base(DIGITS), many)


def test_components_are_chosen_by_name_and_bring_their_own_settings() -> None:
    base = Base(DIGITS)
    assert base.config({"optimizer": "muon", "optimizer.sgd_lr": 0.25}).optimizer.model_dump()["sgd_lr"] == 0.25
    with pytest.raises(ConfigError, match=r"optimizer\.sgd_lr"):
        base.config({"optimizer": "adamw", "optimizer.sgd_lr": 0.25})


def test_what_runs_start_from_is_the_same_from_every_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "first.ckpt").touch()
    monkeypatch.chdir(tmp_path)
    config = Base([*DIGITS, "model.init_from=first.ckpt"]).config({"seed": 3})
    assert config.model.init_from == str(tmp_path / "first.ckpt")
