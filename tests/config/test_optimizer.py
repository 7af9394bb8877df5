"""Learning rates are as written, unless a rule is asked for."""

from __future__ import annotations

import math

import pytest

from visionlab.config.load import load_train_config
from visionlab.config.optimizer import AdamWConfig, MuonConfig, SgdConfig


def test_without_a_rule_the_batch_is_no_matter() -> None:
    config = SgdConfig(lr=0.3)
    assert config.at(1).lr == config.at(10**6).lr == 0.3
    assert config.at(64) is config


@pytest.mark.parametrize(("rule", "factor"), [("linear", 4.0), ("sqrt", 2.0)])
def test_a_rule_multiplies_all_rates_and_nothing_else(rule: str, factor: float) -> None:
    written = {"lr_rule": rule, "reference_batch": 128}
    assert AdamWConfig(lr=0.01, weight_decay=0.2, **written).at(512) == AdamWConfig(lr=0.01 * factor, weight_decay=0.2)
    muon = MuonConfig(lr=0.02, sgd_lr=0.3, bias_lr=0.5, **written).at(512)
    assert muon == MuonConfig(lr=0.02 * factor, sgd_lr=0.3 * factor, bias_lr=0.5 * factor)


def test_at_its_reference_a_rule_changes_nothing_and_below_it_rates_shrink() -> None:
    config = SgdConfig(lr=0.3, lr_rule="sqrt", reference_batch=128)
    assert config.at(128) == SgdConfig(lr=0.3)
    assert config.at(32).lr == pytest.approx(0.3 * math.sqrt(1 / 4))


@pytest.mark.parametrize("name", ["sgd", "adamw", "muon"])
def test_every_learning_rate_of_an_optimizer_is_known_to_be_one(name: str) -> None:
    config = load_train_config([f"optimizer={name}"]).optimizer
    assert set(config.rates) == {field for field in type(config).model_fields if field.endswith("lr")}
