"""Frozen stages stay as they are to the bit, are set free when they are to be, and rates fall from stage to stage."""

from __future__ import annotations

import signal
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from visionlab.config.load import load_train_config
from visionlab.errors import ConfigError, InterruptedRun, UserError
from visionlab.models.stages import stages
from visionlab.tracking.run import Run
from visionlab.training import checkpoints, fitting
from visionlab.training.engine import resume, train

RESNET = [
    "experiment=digits",
    "model=resnet",
    "model.depth=20",
    "model.width=4",
    "data.fraction=0.1",
    "data.batch_size=40",
    "data.augment.translate=0",
    "optimizer.lr=0.01",
    "schedule=constant",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]
BODY = ["stem", *(f"stages.{block}" for block in range(9))]

State = dict[str, torch.Tensor]


class Watch(Callback):
    """Notes the weights at the start and after each epoch, and what the optimizer holds then."""

    def __init__(self) -> None:
        self.weights: list[State] = []
        self.with_state: list[set[str]] = []
        self.with_gradient: list[set[str]] = []
        self.rates: dict[str, float] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self._note(pl_module)
        names = {parameter: name for name, parameter in pl_module.network.named_parameters()}  # type: ignore[union-attr]
        self.rates = {names[p]: group["lr"] for group in trainer.optimizers[0].param_groups for p in group["params"]}

    def on_train_batch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: Any) -> None:
        network = pl_module.network
        if trainer.is_last_batch:
            named = dict(network.named_parameters())  # type: ignore[union-attr]
            state = trainer.optimizers[0].state
            self.with_state.append({name for name, parameter in named.items() if state.get(parameter)})
            self.with_gradient.append({name for name, parameter in named.items() if parameter.grad is not None})
            self._note(pl_module)

    def _note(self, pl_module: pl.LightningModule) -> None:
        state = pl_module.network.state_dict()  # type: ignore[union-attr]
        self.weights.append({name: tensor.clone() for name, tensor in state.items()})


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watching, usual = Watch(), fitting.callbacks_of
    monkeypatch.setattr(fitting, "callbacks_of", lambda *arguments: [*usual(*arguments), watching])
    return watching


def run(*overrides: str) -> Run:
    finished = train(load_train_config([*RESNET, *overrides]))
    assert finished is not None
    return finished


def changed(before: State, after: State) -> set[str]:
    """The stages in which a tensor changed."""
    return {_stage(name) for name in before if not torch.equal(before[name], after[name])}


def _stage(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[:2]) if parts[0] == "stages" else parts[0]


@pytest.mark.parametrize("optimizer", ["adamw", "sgd", "muon"])
@pytest.mark.parametrize(
    ("freeze", "learning"),
    [("none", {*BODY, "head"}), ("backbone", {"head"}), ("until:stages.5", {*BODY[7:], "head"})],
)
def test_frozen_stages_stay_as_they_are_to_the_bit(
    freeze: str, learning: set[str], optimizer: str, watch: Watch
) -> None:
    run(f"adapt.freeze={freeze}", f"optimizer={optimizer}", "trainer.gradient_clip=1", "trainer.ema_decay=0.5")
    assert changed(watch.weights[0], watch.weights[-1]) == learning  # also the statistics of batch normalisation
    assert {_stage(name) for name in watch.with_gradient[-1]} == learning
    assert {_stage(name) for name in watch.with_state[-1]} == learning
    assert {_stage(name) for name in watch.rates} == learning


def test_stages_are_set_free_one_by_one_the_last_one_first(watch: Watch) -> None:
    run("adapt.freeze=until:stages.1", "adapt.unfreeze_every=2", "trainer.max_epochs=7")
    free = {*BODY[3:], "head"}
    expected = [free, free, free | {"stages.1"}, free | {"stages.1"}]
    expected += [free | {"stages.1", "stages.0"}] * 2 + [{*BODY, "head"}]
    assert [changed(*pair) for pair in zip(watch.weights, watch.weights[1:], strict=False)] == expected
    assert [{_stage(name) for name in names} for names in watch.with_state] == expected


@pytest.mark.slow
@pytest.mark.parametrize("step", [2, 4, 7])
def test_a_run_that_is_stopped_and_resumed_sets_the_same_stages_free(
    step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = ["adapt.freeze=backbone", "adapt.unfreeze_every=1", "adapt.layer_decay=0.8", "trainer.max_epochs=4"]
    undisturbed = run(*settings)
    usual = checkpoints.Checkpoints.on_train_batch_end

    def told(self: checkpoints.Checkpoints, trainer: Any, *rest: Any) -> None:
        if trainer.global_step == step:
            signal.raise_signal(signal.SIGTERM)
        usual(self, trainer, *rest)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, "on_train_batch_end", told)
        with pytest.raises(InterruptedRun):
            run(*settings)
    (stopped,) = [found for found in map(Run, undisturbed.path.parent.iterdir()) if found != undisturbed]
    resume(stopped, stopped.config())
    ours, theirs = (
        torch.load(found.checkpoints / "last.ckpt", weights_only=True)["state_dict"] for found in (stopped, undisturbed)
    )
    for name in theirs:
        assert torch.equal(ours[name], theirs[name]), name


@pytest.mark.parametrize(("choice", "moves"), [("train", True), ("frozen", False)])
def test_the_statistics_of_batch_normalisation_move_unless_they_are_frozen(
    choice: str, moves: bool, watch: Watch
) -> None:
    run(f"adapt.batch_norm={choice}")
    first, last = watch.weights[0], watch.weights[-1]
    statistics = [name for name in first if "running" in name or "num_batches" in name]
    assert len(statistics) > 50
    assert all(torch.equal(first[name], last[name]) != moves for name in statistics)
    assert not torch.equal(first["stem.1.weight"], last["stem.1.weight"])  # what is learnt in it is learnt


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_rates_fall_from_the_head_to_the_images(optimizer: str, watch: Watch) -> None:
    run(f"optimizer={optimizer}", "trainer.max_epochs=1")
    plain = dict(watch.rates)
    run(f"optimizer={optimizer}", "trainer.max_epochs=1", "adapt.layer_decay=0.5")
    assert watch.rates.keys() == plain.keys()
    for name, rate in watch.rates.items():
        distance = [*BODY, "head"][::-1].index(_stage(name))
        assert rate == pytest.approx(plain[name] * 0.5**distance), name


def test_a_stage_that_there_is_not_is_answered_with_those_there_are() -> None:
    with pytest.raises(UserError, match=r"expected until: and one of stem, stages.0, .*given 'stages.9'.*did you mean"):
        run("adapt.freeze=until:stages.9")


def test_a_pretrained_backbone_freezes_whole(watch: Watch) -> None:
    others = [setting for setting in RESNET if not setting.startswith("model")]
    network = ["model=pretrained", "model.arch=test_resnet", "model.weights=none", "model.input_size=32"]
    train(load_train_config([*others, *network, "adapt.freeze=backbone", "data.augment.translate=1"]))
    assert changed(watch.weights[0], watch.weights[-1]) == {"head"}


def test_a_frozen_backbone_draws_nothing_at_random(monkeypatch: pytest.MonkeyPatch) -> None:
    differences: list[float] = []

    class Twice(Callback):
        def on_train_batch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, _: int) -> None:
            network: Any = pl_module.network
            assert network.dropout.training
            once, again = (network.features(batch.images) for _ in range(2))
            differences.append(float((once - again).abs().max()))

    usual = fitting.callbacks_of
    monkeypatch.setattr(fitting, "callbacks_of", lambda *arguments: [*usual(*arguments), Twice()])
    others = [setting for setting in RESNET if not setting.startswith("model")]
    # between its stages and its head this one has a dropout of its own, which belongs to no stage
    network = ["model=pretrained", "model.arch=ghostnet_050", "model.weights=none", "model.input_size=32"]
    others += ["data.fraction=0.04", "trainer.max_epochs=1", *network]
    train(load_train_config([*others, "adapt.freeze=backbone", "model.dropout=0.5"]))
    assert differences
    assert max(differences) == 0
    differences.clear()
    train(load_train_config([*others, "adapt.freeze=until:conv_stem"]))
    assert max(differences) > 0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["adapt.unfreeze_every=1"], "adapt.unfreeze_every: needs frozen stages; set adapt.freeze"),
        (["adapt.cache_features=true"], "cache_features: needs adapt.freeze=backbone"),
        (
            ["adapt.freeze=backbone", "adapt.cache_features=true"],
            "adapt.cache_features: needs model=pretrained, given resnet",
        ),
        (["adapt.freeze=backbone", "adapt.views=2"], "views: needs adapt.cache_features=true"),
        (
            ["adapt.freeze=upto:stem"],
            "^adapt.freeze: expected none, backbone or until:STAGE, given 'upto:stem' .command line.$",
        ),
    ],
)
def test_what_does_not_go_together_is_said(settings: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_train_config([*RESNET, *settings])


def test_processes_cannot_set_stages_free() -> None:
    with pytest.raises(UserError, match=r"adapt.unfreeze_every: expected one device, given 2"):
        run("adapt.freeze=backbone", "adapt.unfreeze_every=1", "trainer.devices=2", "trainer.strategy=ddp_fork")


def test_stages_of_the_small_network_are_as_the_tests_say() -> None:
    config = load_train_config(RESNET).model
    network = config.load_implementation()(config, in_channels=1, image_size=(8, 8), num_classes=10)
    assert [stage.name for stage in stages(network)] == [*BODY, "head"]
