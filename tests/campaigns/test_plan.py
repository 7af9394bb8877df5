"""What the words of a campaign come to, and what is wrong with them, before its first run and without torch."""

from __future__ import annotations

import subprocess
import sys

import pytest

from visionlab.campaigns.planning import make_plan
from visionlab.config.search import COSTS, Objective
from visionlab.errors import ConfigError

DIGITS = "experiment=digits"


def mistakes(kind: str, *words: str) -> list[str]:
    with pytest.raises(ConfigError) as raised:
        make_plan(kind, list(words))
    return raised.value.lines


def test_a_grid_is_the_product_of_what_has_several_values() -> None:
    plan = make_plan("grid", ["model.width=8,16", "optimizer=sgd,adamw", "trainer.max_epochs=3", DIGITS])
    assert plan.proposals is not None
    points = [(settings["model.width"], settings["optimizer"]) for settings in plan.proposals]
    assert points == [(8, "sgd"), (8, "adamw"), (16, "sgd"), (16, "adamw")]
    assert plan.total == 4
    configs = [plan.base.config(settings) for settings in plan.proposals]
    assert [(one.model.width, one.optimizer.name) for one in configs] == points  # type: ignore[union-attr]
    assert {one.trainer.max_epochs for one in configs} == {3}


def test_folds_and_seeds_are_counted_from_the_run_s_own() -> None:
    folds = make_plan("crossval", ["folds=3", DIGITS])
    assert folds.proposals == ({"data.fold": 0}, {"data.fold": 1}, {"data.fold": 2})
    assert {folds.base.config(settings).data.folds for settings in folds.proposals} == {3}
    seeds = make_plan("repeat", ["seeds=2", "seed=7", DIGITS])
    assert seeds.proposals == ({"seed": 7}, {"seed": 8})


def test_random_draws_are_the_same_for_the_same_seed_and_more_begin_with_the_fewer() -> None:
    words = ["study=digits", "study.sampler=random"]
    few, more = (make_plan("tune", [*words, f"study.trials={n}"]).proposals for n in (5, 9))
    assert few is not None
    assert more is not None
    assert more[:5] == few
    assert make_plan("tune", [*words, "study.trials=5", "study.seed=1"]).proposals != few


@pytest.mark.parametrize(
    ("kind", "words", "line"),
    [
        ("tune", [], "study: expected one of"),
        ("tune", ["study=digit"], "study: expected one of"),
        (
            "tune",
            ["study=digits", "study.trails=3"],
            "study.trails: expected a known setting, given 3; did you mean study.t",
        ),
        ("tune", ["study=digits", "campaign.workers=0"], "campaign.workers: expected "),
        (
            "tune",
            ["study=digits", "study.objectives=[{metric: test/accuracy}]"],
            "expected a metric of validation or a cost",
        ),
        ("tune", ["study=digits", "study.sampler=grid"], "space.optimizer.lr: sampler grid needs"),
        ("crossval", ["folds=1", DIGITS], "folds: expected "),
        ("crossval", [DIGITS, "model.widht=3"], "model.widht: expected a known setting, given 3"),
        ("grid", [DIGITS], "grid: expected settings with several values"),
        ("grid", [DIGITS, "model.width=8,abc"], "model.width: expected "),
        ("grid", [DIGITS, "seed=1,2", "seed=3,4"], "seed: expected to be given once"),
        ("repeat", [DIGITS, "data.val_fraction=0"], "data.val_fraction: expected more than 0"),
        ("repeat", ["seeds=0", DIGITS], "seeds: expected "),
        ("crossval", ["data.folds=10", DIGITS], "data.folds: is said by folds=…"),
        ("tune", ["study=digits", "optimizer.lr=0.1"], "optimizer.lr: is searched by the study"),
        ("tune", ["study=digits", "study.objectives=[{metric: val/acuracy}]"], "did you mean val/accuracy?"),
        ("grid", [DIGITS, "trainer.devices=1,2"], "trainer.devices: expected a setting of the training"),
        ("grid", [DIGITS, "data.val_fraction=0,0.2"], "data.val_fraction: expected more than 0"),
        ("grid", [DIGITS, "model.width=8,16", "debug=true"], "debug: expected none in a campaign"),
        ("grid", [DIGITS, "model.width=8,16", "campaign.name=.."], "campaign.name: expected"),
        ("grid", [DIGITS, "model.width=8,16", "campaign.name=last"], "campaign.name: expected a name of its own"),
        ("grid", [DIGITS, "model.width=8,16", "study.storage=postgresql://u@h/d?password=x"], "without a password"),
        (
            "grid",
            [DIGITS, "data.augment.randaugment=null,{ops: 2}"],
            "data.augment.randaugment: expected values without settings in them, given null,{ops: 2}; vary the "
            "settings one by one [command line]",
        ),
    ],
)
def test_a_mistake_is_a_line(kind: str, words: list[str], line: str) -> None:
    found = mistakes(kind, *words)
    assert len(found) == 1, found
    assert line in found[0]


@pytest.mark.parametrize(
    ("space", "line"),
    [
        ("{model.widht: {int: [8, 16]}}", "model.widht: expected a known setting"),
        ("{optimizer.lr: {float: [-0.1, 0.1]}}", "optimizer.lr: expected"),
        ("{model.width: {float: [8.5, 16.5]}}", "model.width: expected"),
        ("{optimizer: {choices: [sgd, adm]}}", "optimizer: expected one of"),
        ("{optimizer.momentum: {float: [0.1, 0.9], when: {optimizer: sgd}}}", "stands before it"),
        ("{optimizer.lr: {float: [0.1, 0.01]}}", "expected the least value before the greatest"),
        ("{optimizer.lr: {float: [0.1, 0.2], int: [1, 2]}}", "expected one of float, int and choices"),
        (
            "{loss: {choices: [cross_entropy, focal]}, data.augment.mixup: {float: [0.1, 0.2]}}",
            "need loss=cross_entropy",
        ),
    ],
)
def test_a_space_that_holds_an_invalid_configuration_is_refused_with_its_key(space: str, line: str) -> None:
    found = mistakes("tune", "study=digits", f"study.space={space}")
    assert any(line in one for one in found), found


def test_a_condition_keeps_a_setting_from_where_it_does_not_belong() -> None:
    space = "{optimizer: {choices: [sgd, adamw]}, optimizer.momentum: {float: [0.1, 0.9], when: {optimizer: sgd}}}"
    plan = make_plan("tune", ["study=digits", f"study.space={space}", "study.sampler=random", "study.trials=20"])
    assert plan.proposals is not None
    having = {settings["optimizer"] for settings in plan.proposals if "optimizer.momentum" in settings}
    assert having == {"sgd"}
    assert {settings["optimizer"] for settings in plan.proposals} == {"sgd", "adamw"}


def test_what_makes_a_campaign_another_one() -> None:
    one = make_plan("tune", ["study=digits"]).definition()
    assert make_plan("tune", ["study=digits", "study.trials=50", "campaign.workers=2"]).definition() == one
    assert make_plan("tune", ["study=digits", "trainer.max_epochs=3"]).definition() != one
    assert make_plan("tune", ["study=digits", "study.space.model.width.int=[8,64]"]).definition() != one


def test_what_is_better_of_a_metric_is_the_default() -> None:
    def direction(metric: str) -> str:
        return Objective.model_validate({"metric": metric}).direction

    assert [direction(name) for name in ("val/accuracy", "val/roc_auc", "val/top5_accuracy")] == ["maximize"] * 3
    assert {direction(name) for name in ("val/loss", "val/calibration_error", *COSTS)} == {"minimize"}
    assert Objective.model_validate({"metric": "val/loss", "direction": "maximize"}).direction == "maximize"


def test_no_plan_imports_torch() -> None:
    code = (
        "import sys; from visionlab.campaigns.planning import make_plan; make_plan('tune', ['study=digits']); "
        "make_plan('crossval', ['experiment=digits']); from visionlab.campaigns import carry_out; "
        "assert 'torch' not in sys.modules and 'mlflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
