"""Training on a GPU, in the precisions that only a GPU has."""

from __future__ import annotations

import pytest
import torch

from visionlab.config.load import load_train_config
from visionlab.training.engine import train

pytestmark = pytest.mark.gpu


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_run_on_the_gpu_learns(precision: str) -> None:
    overrides = ["experiment=digits", "trainer.accelerator=gpu", "trainer.devices=1", "tracking=off"]
    run = train(load_train_config([*overrides, f"trainer.precision={precision}", "trainer.max_epochs=5"]))
    assert run is not None
    assert run.report()["test"]["accuracy"] > 0.9
    assert torch.cuda.get_device_name() in run.start()["tags"]["hardware"]


def test_deterministic_runs_repeat_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    overrides = ["experiment=digits", "trainer.accelerator=gpu", "trainer.devices=1", "tracking=off"]
    config = load_train_config([*overrides, "trainer.deterministic=true", "trainer.max_epochs=2"])
    first, second = train(config), train(config)
    assert first is not None
    assert second is not None
    assert first.report()["test"] == second.report()["test"]
