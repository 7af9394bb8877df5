"""Lookahead: the slow weights are the paper's, they are what is tested, and a run that goes on has not lost them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from tests.training.test_resume import assert_same, config, stop_at
from visionlab.config.load import load_train_config
from visionlab.errors import ConfigError
from visionlab.training.engine import resume, train
from visionlab.training.lookahead import DECAY, SlowWeights

ON = ("trainer.ema_decay=null", "trainer.lookahead=4")


def test_slow_weights_follow_the_fast_ones_ever_more_slowly() -> None:
    network = torch.nn.Linear(2, 1, bias=False)
    total, every, epoch = 12, 3, 7
    weights = SlowWeights(network, every, total)
    slow, fast = network.weight.detach().clone(), network.weight.detach().clone()
    for step in range(1, total + 1):
        with torch.no_grad():
            network.weight.add_(step)
        fast = fast + step
        weights.follow(step, ends_epoch=step == epoch)
        if step == total:
            fast = slow
        elif step % every == 0 or step == epoch:
            slow = slow + (1 - DECAY**every * (step / total) ** 3) * (fast - slow)
            fast = slow
        torch.testing.assert_close(network.weight.detach(), fast)


@pytest.mark.parametrize("step", [7, 16])
def test_a_stopped_run_that_is_resumed_equals_one_that_was_not(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("VISIONLAB_HOME", str(tmp_path / "undisturbed"))
        undisturbed = train(config(*ON))
    assert undisturbed is not None
    run = stop_at(step, signal.SIGTERM, monkeypatch, "on_train_batch_end", *ON)
    resume(run, run.config())
    assert_same(run, undisturbed)


def test_one_kind_of_slow_weights_is_enough() -> None:
    with pytest.raises(ConfigError) as raised:
        load_train_config(["experiment=digits", "trainer.ema_decay=0.9", "trainer.lookahead=5"])
    assert raised.value.lines[0].startswith("trainer.lookahead: expected none with ema_decay")
