"""What is recorded of each layer is what it says, and recording it changes nothing."""

from __future__ import annotations

import math
import os
import signal
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.config.train import TrainConfig
from visionlab.data.loader import Batch
from visionlab.errors import ConfigError, InterruptedRun
from visionlab.tracking import journal, provenance
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training import checkpoints
from visionlab.training.classifier import Classifier
from visionlab.training.engine import resume, train

STEPS, EVERY = 10, 4  # STEPS to an epoch
EPOCHS = 2
RECORDED = [1, 4, 8, 12, 16, 20]
LINEAR = ["body.1", "body.4", "head"]  # body.3 and body.6 are dropouts
TINY = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[64,32]",
    "data.fraction=0.4",
    "data.batch_size=51",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.accelerator=cpu",
    "trainer.log_every=5",
    f"diagnostics.every={EVERY}",
    "tracking=off",
    "tracking.figures=false",
]
DROPOUT = ["diagnostics=all", "model.dropout=0.5"]


@pytest.fixture(autouse=True)
def _no_code_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing it takes longer than these runs."""
    monkeypatch.setattr(provenance, "write_code_state", lambda *_: [])


@pytest.fixture(scope="module")
def diagnosed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with dropout of which everything was recorded."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VISIONLAB_HOME", str(tmp_path_factory.mktemp("diagnosed")))
        return trained(*DROPOUT)


def config(*overrides: str) -> TrainConfig:
    choices = tuple(override for override in overrides if "." not in override.partition("=")[0])
    return change_config(_composed(choices), [override for override in overrides if override not in choices], None)


@cache
def _composed(choices: tuple[str, ...]) -> TrainConfig:
    return load_train_config([*TINY, *choices])


def trained(*overrides: str) -> Run:
    run = train(config(*overrides))
    assert run is not None
    return run


def points(run: Run) -> dict[str, dict[int, float]]:
    """By name without its prefix, the values by step."""
    found: dict[str, dict[int, float]] = {}
    for record in journal.read(run.journal_file)[0]:
        for name, value in record.get("values", {}).items():
            if name.startswith("diagnostics/"):
                steps = found.setdefault(name.removeprefix("diagnostics/"), {})
                assert record["step"] not in steps, f"{name} twice"
                steps[record["step"]] = value
    return found


def weights(run: Run) -> dict[str, Tensor]:
    return dict(torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"])


def test_norms_are_those_of_autograd_before_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    expected: dict[str, dict[int, float]] = {}
    usual = Classifier.training_step

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        layers = {name: self.network.get_submodule(name).weight for name in ("body.1", "body.3", "head")}
        loss = torch.nn.functional.cross_entropy(self.network(batch.images), batch.targets)
        gradients = torch.autograd.grad(loss, list(layers.values()))
        step = self.trainer.global_step + 1
        for (name, weight), gradient in zip(layers.items(), gradients, strict=True):
            expected.setdefault(f"grad_norm/{name}", {})[step] = float(gradient.double().square().sum().sqrt())
            expected.setdefault(f"weight_norm/{name}", {})[step] = float(weight.detach().double().norm())
        return usual(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", training_step)
    # clipping comes after what is recorded
    found = points(trained("diagnostics=gradients", "trainer.gradient_clip=0.01"))
    assert found.keys() == expected.keys()
    for name, values in found.items():
        assert list(values) == RECORDED
        assert values == pytest.approx({step: expected[name][step] for step in RECORDED}, rel=1e-5), name


def test_statistics_are_of_what_each_layer_puts_out(diagnosed: Run) -> None:
    found = points(diagnosed)
    assert {name.partition("/")[2] for name in found} == {*LINEAR, "body.2", "body.3", "body.5", "body.6"}
    # a ReLU puts out no less than 0, and about half of the units are silent as they begin; a linear layer has no zeros
    for relu in ("body.2", "body.5"):
        assert 0.3 < found[f"zeros/{relu}"][1] < 0.7
        assert all(mean > 0 for mean in found[f"mean/{relu}"].values())
    assert set(found["zeros/head"].values()) == {0.0}


def test_statistics_are_those_of_the_layer_s_values(monkeypatch: pytest.MonkeyPatch) -> None:
    first: list[Tensor] = []
    usual = Classifier.training_step

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        if not first:
            layer = self.network.get_submodule("body.1")
            first.append((batch.images.flatten(1) @ layer.weight.T + layer.bias).detach().double())  # (B, 64)
        return usual(self, batch, batch_idx)

    monkeypatch.setattr(Classifier, "training_step", training_step)
    found = points(trained("diagnostics=activations", "trainer.max_epochs=1"))
    assert not [name for name in found if "norm" in name]
    (values,) = first
    assert found["mean/body.1"][1] == pytest.approx(float(values.mean()), abs=1e-6)
    assert found["std/body.1"][1] == pytest.approx(float(values.std(correction=0)), rel=1e-5)
    assert found["zeros/body.2"][1] == pytest.approx(float((values <= 0).double().mean()), abs=1e-6)


def test_dropout_drops_its_share_in_training_and_nothing_in_evaluation(diagnosed: Run) -> None:
    found = points(diagnosed)
    for name in ("body.3", "body.6"):
        shares = found[f"dropped/{name}"]
        assert list(shares) == RECORDED
        # of some 700 values in each record, the standard deviation is 0.02
        assert all(0.4 < share < 0.6 for share in shares.values())
        assert sum(shares.values()) / len(shares) == pytest.approx(0.5, abs=0.05)
        assert found[f"dropped_in_evaluation/{name}"] == {STEPS: 0.0, EPOCHS * STEPS: 0.0}


def test_recording_changes_no_bit(diagnosed: Run) -> None:
    plain = trained("model.dropout=0.5")
    assert not points(plain)
    ours, theirs = weights(diagnosed), weights(plain)
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize("step", [EVERY, STEPS + 5])
def test_a_run_that_goes_on_has_the_same_points(step: int, diagnosed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = checkpoints.Checkpoints.on_train_batch_end

    def told(self: checkpoints.Checkpoints, trainer: Any, *args: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        usual(self, trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, "on_train_batch_end", told)
        with pytest.raises(InterruptedRun):
            train(config(*DROPOUT))
    (run,) = all_runs(project.runs())
    assert points(run) != points(diagnosed)
    resume(run, run.config())
    assert points(run) == points(diagnosed)


def test_parts_of_a_step_have_the_gradient_of_the_whole() -> None:
    options = ["diagnostics=gradients", "data.batch_size=52", "trainer.max_epochs=1"]
    whole, parts = points(trained(*options)), points(trained(*options, "trainer.accumulate=2"))
    assert whole.keys() == parts.keys()
    for name in whole:
        assert parts[name] == pytest.approx(whole[name], rel=1e-4), name


def test_a_gradient_that_is_left_out_is_recorded_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Classifier.training_step

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        outputs = usual(self, batch, batch_idx)
        if self.trainer.global_step + 1 == EVERY:
            # the gradient of this is infinite, in the head alone
            infinite = torch.inf * (self.network.head.weight.sum() - self.network.head.weight.sum().detach() + 1)
            outputs["loss"] = outputs["loss"] + infinite
        return outputs

    monkeypatch.setattr(Classifier, "training_step", training_step)
    run = trained("diagnostics=gradients", "trainer.nonfinite=skip", "trainer.max_epochs=1")
    found = points(run)
    assert found["grad_norm/head"][EVERY] == math.inf
    assert math.isfinite(found["grad_norm/body.1"][EVERY])
    assert all(math.isfinite(value) for step, value in found["grad_norm/head"].items() if step != EVERY)
    assert all(bool(torch.isfinite(value).all()) for value in weights(run).values())


def test_looking_into_a_compiled_network_is_refused() -> None:
    with pytest.raises(ConfigError) as raised:
        config("diagnostics=activations", "trainer.compile=true")
    (line,) = raised.value.lines
    assert "diagnostics.activations: needs trainer.compile=false" in line
    assert config("diagnostics=gradients", "trainer.compile=true").diagnostics.gradients
