from __future__ import annotations

import pytest

from visionlab.config.suggest import did_you_mean, nearest

SECTIONS = ["model", "optimizer", "trainer"]
KNOWN = [*SECTIONS, "model.width", "optimizer.lr", "optimizer.sgd_lr", "trainer.max_epochs", "seed"]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("model.wdth", "model.width"),
        ("lr", "optimizer.lr"),
        ("optimiser.lr", "optimizer.lr"),
        ("trainer.lr", "optimizer.lr"),
        ("trainer.epochs", "trainer.max_epochs"),
        ("modl.wdth", "model.width"),
        ("optimzer", "optimizer"),
        ("sed", "seed"),
        ("zzz", None),
        # the section alone makes no two names alike
        ("trainer.zzz", None),
        ("optimizer.momentum", None),
    ],
)
def test_the_nearest_known_name(typed: str, meant: str | None) -> None:
    assert nearest(typed, KNOWN) == meant


def test_the_hint_is_empty_where_nothing_is_near() -> None:
    assert did_you_mean("zzz", KNOWN) == ""
    assert did_you_mean("sed", KNOWN) == "; did you mean seed?"
