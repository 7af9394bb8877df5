"""A step is the same whether its batch is taken whole, in parts, by several processes, or in parts by several."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.config.task import ClassifierConfig
from visionlab.config.train import TrainConfig
from visionlab.data.loader import Batch
from visionlab.errors import InterruptedRun, UserError
from visionlab.tracking import journal, provenance
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training import checkpoints
from visionlab.training.classifier import Classifier
from visionlab.training.divergence import DivergedError
from visionlab.training.engine import resume, train

MLP, CNN = ["model=mlp", "model.hidden=[16]"], ["model=cnn", "model.width=4"]
TINY = [
    "experiment=digits",
    "data.fraction=0.3",  # 388 images to train on
    "data.batch_size=60",
    "data.augment.translate=1",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=1",
    "tracking=off",
    "tracking.figures=false",
]
STEPS = 6  # to an epoch
TWO = ["trainer.strategy=ddp_fork", "trainer.devices=2"]
# classes of unequal size, with weights that change from part to part
UNEQUAL = ["data.imbalance=4", "loss.class_weights=[1,2,3,4,5,6,7,8,9,10]"]


@pytest.fixture(autouse=True)
def _no_code_state(monkeypatch: pytest.MonkeyPatch) -> None:
    """Writing it takes longer than these runs."""
    monkeypatch.setattr(provenance, "write_code_state", lambda *_: [])


@cache
def composed(*choices: str) -> TrainConfig:
    return load_train_config([*TINY, *choices])


def run(*overrides: str, model: Sequence[str] = MLP) -> Run:
    settings = [override for override in overrides if "." in override.partition("=")[0]]
    choices = [override for override in overrides if override not in settings]
    finished = train(change_config(composed(*model, *choices), settings, None))
    assert finished is not None
    return finished


def weights(finished: Run) -> dict[str, Tensor]:
    return dict(torch.load(finished.checkpoints / "last.ckpt", weights_only=True)["state_dict"])


def curve(finished: Run, *names: str) -> list[tuple[int, float]]:
    """What the journal has of the training steps."""
    names = names or ("train/loss", "train/accuracy", "train/grad_norm", "lr")
    records, _ = journal.read(finished.journal_file)
    return [(r["step"], r["values"][name]) for r in records for name in names if name in r.get("values", {})]


def assert_alike(one: Run, other: Run, atol: float = 1e-5) -> None:
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=1e-4, atol=atol)
    assert [step for step, _ in curve(one)] == [step for step, _ in curve(other)]
    assert [value for _, value in curve(one)] == pytest.approx([value for _, value in curve(other)], rel=1e-4, abs=atol)
    assert one.report()["confusion"] == other.report()["confusion"]


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["optimizer=sgd", "trainer.gradient_clip=0.5", "trainer.ema_decay=0.9"],
        ["optimizer=muon"],
        ["task.l1=0.01"],
        ["data.augment.mixup=0.4", "loss.label_smoothing=0.1", "loss.class_weights=balanced", "data.imbalance=4"],
        UNEQUAL,
        ["loss=focal", *UNEQUAL],
        ["loss=logit_adjusted", "data.imbalance=4"],
    ],
    ids=" ".join,
)
def test_parts_come_to_the_whole_batch(options: list[str]) -> None:
    whole, parts = run(*options), run(*options, "trainer.accumulate=5")
    steps = [step for step, _ in curve(parts, "train/loss")]
    assert steps == list(range(1, steps[-1] + 1))  # of the optimizer, not of the parts
    assert_alike(parts, whole)


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("options", [UNEQUAL, ["data.sampler=balanced", "data.imbalance=4"]], ids=" ".join)
def test_two_processes_come_to_one(accumulate: int, options: list[str]) -> None:
    # without augmentation, which each process draws for itself
    options = [*options, "data.augment.translate=0"]
    assert_alike(run(*options, *TWO, f"trainer.accumulate={accumulate}"), run(*options))


def test_two_processes_come_to_one_on_images_that_grow() -> None:
    network = ["model=cnn", "model.width=4", "model.norm=layer"]
    options = ["data.augment.translate=0", "data.augment.progressive=[6]"]
    assert_alike(run(*options, *TWO, model=network), run(*options, model=network))


@pytest.mark.parametrize("options", [["trainer.accumulate=7"], TWO, [*TWO, "trainer.accumulate=7"]], ids=" ".join)
def test_shares_of_unequal_size_are_weighed_by_their_images(options: list[str]) -> None:
    # a batch is the whole set of 99 images
    small = ["data.fraction=0.075", "data.batch_size=126", "data.augment.translate=0"]
    whole, shared = run(*small), run(*small, *options)
    assert [step for step, _ in curve(whole, "train/loss")] == [1, 2]
    assert_alike(shared, whole)


def test_the_graph_of_a_part_is_gone_before_the_next_one(monkeypatch: pytest.MonkeyPatch) -> None:
    alive = 0
    most = 0

    class Kept(torch.autograd.Function):
        """Hands through; counts the graphs that are waiting for their backward pass."""

        @staticmethod
        def forward(ctx: Any, images: Tensor) -> Tensor:
            nonlocal alive, most
            alive += 1
            most = max(most, alive)
            return images.clone()

        @staticmethod
        def backward(ctx: Any, gradient: Tensor) -> Tensor:
            nonlocal alive
            alive -= 1
            return gradient

    usual = Classifier.forward

    def forward(module: Classifier, images: Tensor) -> Tensor:
        logits = usual(module, images)
        return Kept.apply(logits) if module.training else logits

    monkeypatch.setattr(Classifier, "forward", forward)
    run("trainer.accumulate=4", "trainer.max_epochs=1")
    assert (alive, most) == (0, 1)


def test_a_training_step_of_ones_own_is_given_parts_and_may_return_the_loss_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Own(Classifier):
        def training_step(self, batch: Batch, batch_idx: int) -> Any:
            sizes.append(len(batch.images))
            return super().training_step(batch, batch_idx)["loss"] + 1e-3 * self(batch.images).square().mean()

    sizes: list[int] = []
    monkeypatch.setattr(ClassifierConfig, "load_implementation", lambda config: Own)
    whole = run()
    assert sizes == [60] * 2 * STEPS
    sizes.clear()
    parts = run("trainer.accumulate=4")
    assert sizes == [15] * 4 * 2 * STEPS
    assert_alike(parts, whole)


def test_a_bad_part_makes_a_bad_step(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Classifier.training_step
    calls = 0

    def training_step(self: Classifier, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        nonlocal calls
        calls += 1
        outputs = usual(self, batch, batch_idx)
        if calls == 3 * 4 + 2:  # the second part of the fifth step
            outputs["loss"] = outputs["loss"] * torch.inf
        return outputs

    monkeypatch.setattr(Classifier, "training_step", training_step)
    skipped = run("trainer.accumulate=3", "trainer.nonfinite=skip")
    assert dict(curve(skipped, "train/skipped_steps")) == dict.fromkeys(range(5, 13), 1.0)
    assert all(bool(torch.isfinite(value).all()) for value in weights(skipped).values())
    calls = 0
    with pytest.raises(DivergedError, match="at step 5 "):
        run("trainer.accumulate=3")


@pytest.mark.parametrize("step", [2, STEPS + 3])
def test_a_run_in_parts_that_was_stopped_goes_on_bit_for_bit(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ["trainer.accumulate=3", "model.dropout=0.3", "data.sampler=balanced", "data.imbalance=3"]
    options += ["trainer.ema_decay=0.9", "data.batch_size=30"]
    undisturbed = run(*options)
    usual = checkpoints.Checkpoints.on_train_batch_end

    def stop(self: checkpoints.Checkpoints, trainer: Any, *args: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        usual(self, trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, "on_train_batch_end", stop)
        with pytest.raises(InterruptedRun):
            run(*options)
    stopped = all_runs(project.runs())[-1]
    resume(stopped, stopped.config())
    for name, value in weights(undisturbed).items():
        assert torch.equal(weights(stopped)[name], value), name
    assert curve(stopped) == curve(undisturbed)
    assert stopped.report()["test"] == undisturbed.report()["test"]


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (["trainer.accumulate=7"], "a total that 7 parts can share equally, given 60; use 56 or 63"),
        (["trainer.accumulate=61"], "a total that 61 parts can share equally, given 60; use 61"),
        (
            [*TWO, "trainer.accumulate=4"],
            "a total that 4 parts on each of 2 devices can share equally, given 60; use 56 or 64, "
            "or train on 1 or 3 devices (a run that goes on keeps its batch)",
        ),
    ],
    ids=" ".join,
)
def test_a_batch_that_parts_cannot_share_equally_is_refused_with_the_nearest_sizes(
    options: list[str], line: str
) -> None:
    with pytest.raises(UserError) as raised:
        run(*options)
    assert str(raised.value) == f"data.batch_size: expected {line}"
    assert not project.runs().exists()


def test_fewer_images_than_shares_are_refused() -> None:
    with pytest.raises(UserError, match=r"^data: expected at least an image for each of 120 parts, found 99 to train"):
        run("data.fraction=0.075", "data.batch_size=120", "trainer.accumulate=120")
    assert not project.runs().exists()


def test_a_part_of_one_image_is_refused_where_there_is_batch_normalisation() -> None:
    expected = r"^data\.batch_size: expected at least 2 images for each of 30 parts, because model=cnn has batch"
    with pytest.raises(UserError, match=expected):
        run("data.batch_size=30", "trainer.accumulate=30", model=CNN)


def test_batch_normalisation_over_several_cpus_is_refused_and_over_one_is_as_usual() -> None:
    with pytest.raises(
        UserError, match=r"^trainer\.sync_batch_norm: torch can do it on GPUs alone, .* set it to false"
    ):
        run(*TWO, "trainer.sync_batch_norm=true")
    assert not project.runs().exists()
    synced, usual = (weights(run(f"trainer.sync_batch_norm={value}", model=CNN)) for value in ("true", "false"))
    assert all(torch.equal(synced[name], usual[name]) for name in usual)


def test_batch_normalisation_sees_a_part_at_a_time() -> None:
    whole, parts = (weights(run(f"trainer.accumulate={count}", model=CNN)) for count in (1, 2))
    counts = [name for name in whole if name.endswith("num_batches_tracked")]
    assert counts
    for name in counts:
        assert parts[name] == 2 * whole[name]


def test_a_rule_for_the_learning_rate_is_shown_and_recorded(capsys: pytest.CaptureFixture[str]) -> None:
    ruled = run("optimizer=sgd", "optimizer.lr=0.05", "optimizer.lr_rule=linear", "optimizer.reference_batch=30")
    said = capsys.readouterr().out
    assert "rate      0.1 at 60 images (linear rule, 0.05 at 30 images)\n" in said
    plain = run("optimizer=sgd", "optimizer.lr=0.1")
    assert all(torch.equal(weights(ruled)[name], value) for name, value in weights(plain).items())
    assert curve(ruled, "lr") == curve(plain, "lr")
    starts = [journal.read(finished.journal_file)[0][0]["params"] for finished in (ruled, plain)]
    assert [params["optimizer.resolved_lr"] for params in starts] == [0.1, 0.1]
    assert [params["optimizer.lr"] for params in starts] == [0.05, 0.1]
    assert "\nrate " not in capsys.readouterr().out


def test_what_shares_a_batch_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    run("trainer.accumulate=4", "trainer.max_epochs=1")
    assert "step      60 images, shared by 4 parts\n" in capsys.readouterr().out
