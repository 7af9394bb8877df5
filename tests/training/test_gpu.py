"""Training on GPUs, in the precisions that only they have, and on two of them where there are two."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from typing import Any

import pytest
import torch

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.data.loader import Batch
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training.classifier import Classifier
from visionlab.training.engine import train

pytestmark = pytest.mark.gpu

Cli = Callable[..., subprocess.CompletedProcess[str]]
CONFIG = ["experiment=digits", "trainer.accelerator=gpu", "trainer.devices=1", "tracking=off"]


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.checkpoints / "last.ckpt", weights_only=True, map_location="cpu")["state_dict"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_run_on_the_gpu_learns(precision: str) -> None:
    run = train(load_train_config([*CONFIG, f"trainer.precision={precision}", "trainer.max_epochs=5"]))
    assert run is not None
    assert run.report()["test"]["accuracy"] > 0.9
    assert torch.cuda.get_device_name() in run.start()["tags"]["hardware"]


def test_an_overflow_in_16_bits_costs_one_step_and_halves_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    scales: list[float] = []
    before: list[torch.Tensor] = []  # the last weights of the network, as each step finds them
    usual, bad = Classifier.training_step, 20

    def step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, torch.Tensor]:
        plugin: Any = self.trainer.precision_plugin
        scales.append(plugin.scaler.get_scale())
        before.append([*self.network.parameters()][-1].detach().clone())
        outputs = usual(self, batch, batch_idx)
        if len(scales) == bad + 1:
            outputs["loss"] = outputs["loss"] * 1e30  # finite in 32 bits, its gradients are not so in 16
        return outputs

    monkeypatch.setattr(Classifier, "training_step", step)
    run = train(load_train_config([*CONFIG, "trainer.precision=16-mixed", "trainer.max_epochs=5"]))
    assert run is not None
    assert scales[bad + 1] == scales[bad] / 2
    assert torch.equal(before[bad + 1], before[bad])
    assert not torch.equal(before[bad + 2], before[bad + 1])
    assert scales[-1] == scales[bad + 1]
    assert all(torch.isfinite(tensor).all() for tensor in weights(run).values())
    assert run.report()["test"]["accuracy"] > 0.9


def test_deterministic_runs_repeat_on_the_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    config = load_train_config([*CONFIG, "trainer.deterministic=true", "trainer.max_epochs=2"])
    first, second = train(config), train(config)
    assert first is not None
    assert second is not None
    assert first.report()["test"] == second.report()["test"]
    ours, theirs = weights(first), weights(second)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.slow
def test_two_gpus_train_and_measure_like_one(cli: Cli) -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("one GPU here")
    # what a GPU does not see of a batch plays no part: no batch normalisation, nothing drawn at random
    words = ["experiment=digits", "model=mlp", "data.augment.translate=0", "trainer.precision=32-true"]
    words += ["trainer.accelerator=gpu", "trainer.max_epochs=3", "tracking=off", "tracking.figures=false"]
    for devices in (1, 2):
        done = cli("train", *words, f"trainer.devices={devices}", timeout=240, NCCL_DEBUG="INFO")
        assert done.returncode == 0, done.stderr
        assert ("NCCL INFO" in done.stdout + done.stderr) == (devices == 2)
    one, two = all_runs(project.runs())
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(two)[name], tensor, rtol=1e-3, atol=1e-4)
    counts = [sum(map(sum, run.report()["confusion"])) for run in (one, two)]
    assert counts == [359, 359]
    assert two.report()["test"] == pytest.approx(one.report()["test"], abs=0.01)
    assert two.start()["tags"]["hardware"].startswith("2 x ")
