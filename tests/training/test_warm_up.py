"""Warming up leaves no trace: the run comes out the same to the last bit, and its clock has not begun."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import lightning.pytorch as pl
import pytest
import torch
from lightning.pytorch.callbacks import Callback

from visionlab.config.load import load_train_config
from visionlab.config.train import TrainConfig
from visionlab.training import checkpoint_file, engine, fitting
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier
from visionlab.training.warm_up import PASSES, WarmUp, warm_up

CONFIG = [
    "experiment=digits",
    "model.width=4",
    "data.fraction=0.2",
    "data.augment.translate=1",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]


def trained(monkeypatch: pytest.MonkeyPatch, *callbacks: Callback) -> dict[str, torch.Tensor]:
    usual = fitting.callbacks_of
    with monkeypatch.context() as patched:
        patched.setattr(fitting, "callbacks_of", lambda *arguments: [*usual(*arguments), *callbacks])
        run = engine.train(load_train_config(CONFIG))
    assert run is not None
    content: dict[str, torch.Tensor] = checkpoint_file.read(run.checkpoints / "last.ckpt")["state_dict"]
    return content


def test_a_run_that_was_warmed_up_comes_out_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    passes = []

    class Counting(Callback):
        def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
            pl_module.register_forward_hook(lambda *_: passes.append(pl_module.training))

    without, warmed = trained(monkeypatch), trained(monkeypatch, Counting(), WarmUp(channels_last=False))
    # forward in training and in evaluation, before the first step
    assert passes[: 2 * PASSES] == [True] * PASSES + [False] * PASSES
    for name, weight in without.items():
        assert torch.equal(weight, warmed[name]), name


def test_layers_that_are_held_in_evaluation_stay_there() -> None:
    config = load_train_config(CONFIG)
    module, datamodule = _parts(config)
    frozen = next(layer for layer in module.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    module.train()
    frozen.eval()
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    random = torch.get_rng_state()
    warm_up(module, datamodule, nullcontext, channels_last=False)
    assert not frozen.training
    assert module.network.training
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(tensor, before[name]) for name, tensor in module.state_dict().items())
    assert all(weight.grad is None for weight in module.parameters())


GROWING = [*CONFIG, "data.augment.progressive=[6,7,6]", "trainer.max_epochs=4", "data.eval_batch_size=20"]


def test_every_size_of_training_and_validation_is_warmed_up() -> None:
    module, datamodule = _parts(load_train_config(GROWING))
    assert datamodule.sizes["val"] == 30
    seen: list[tuple[bool, int, int]] = []

    def note(_: torch.nn.Module, given: tuple[torch.Tensor], __: torch.Tensor) -> None:
        (images,) = given
        assert images.is_inference() != module.network.training
        seen.append((module.network.training, len(images), images.shape[-1]))

    module.register_forward_hook(note)
    warm_up(module, datamodule, nullcontext, channels_last=False)
    batch = datamodule.train_batch_size
    expected = [(True, batch, 6), (True, batch, 7), (True, batch, 8), (False, 20, 8), (False, 10, 8)]
    assert seen == [each for each in expected for _ in range(PASSES)]


def test_nothing_is_compiled_after_the_warm_up_and_each_size_has_a_graph_of_its_own() -> None:
    """A graph for any size would be slower, and with it every epoch in full size."""
    module, datamodule = _parts(load_train_config(GROWING))
    datamodule.place(torch.device("cpu"), 0, 1, False)
    graphs: list[tuple[bool, Any]] = []

    def noting(graph: Any, examples: list[Any]) -> Any:
        (images,) = (
            one
            for one in examples
            if isinstance(one, torch.Tensor) and one.ndim == 4 and one.shape[1] == 1 and one.shape[-1] > 5
        )
        graphs.append((module.network.training, images.shape[-1]))
        return graph.forward

    torch._dynamo.reset()
    module.network.compile(backend=noting)
    warm_up(module.train(), datamodule, nullcontext, channels_last=False)
    # that of a last batch of validation takes any number of images
    assert graphs == [(True, 6), (True, 7), (True, 8), (False, 8), (False, 8)]
    assert all(type(side) is int for _, side in graphs)
    loader = datamodule.train_dataloader()
    for epoch in range(4):
        loader.set_epoch(epoch)
        for batch in loader:
            module(batch.images).sum().backward()
    module.eval()
    with torch.inference_mode():
        for batch in datamodule.val_dataloader():
            module(batch.images)
    assert len(graphs) == 5


def _parts(config: TrainConfig) -> tuple[Classifier, Any]:
    datamodule = build_data(config)
    return build_module(config, datamodule), datamodule


@pytest.mark.parametrize(("words", "warmed"), [(["trainer.compile=true"], True), ([], False)])
def test_compiled_networks_are_warmed_up(words: list[str], warmed: bool) -> None:
    config = load_train_config([*CONFIG, *words])
    config = config.model_copy(update={"trainer": config.trainer.model_copy(update={"devices": 1, "num_nodes": 1})})
    found = fitting.callbacks_of(config, _recording())
    assert any(isinstance(one, WarmUp) for one in found) is warmed


def _recording() -> Any:
    from types import SimpleNamespace

    from visionlab.training.callbacks import TrainingCurve
    from visionlab.training.divergence import Divergence

    divergence = Divergence("stop", 10)
    return SimpleNamespace(
        divergence=divergence, curve=TrainingCurve(10, divergence), run=None, journal=None, shipper=None, member=None
    )


def test_views_of_an_image_are_averaged_as_the_recipe_does() -> None:
    config = load_train_config(["experiment=digits", "task.test_time=flip_crops"])
    module = Classifier(
        config.task, torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 3)), torch.nn.CrossEntropyLoss(),
        config.optimizer, config.schedule, 3,
    )  # fmt: skip
    images = torch.randn(4, 1, 6, 6)
    wide = torch.nn.functional.pad(images, (1, 1, 1, 1), mode="reflect")
    views = [images, wide[..., :6, :6], wide[..., 2:, 2:]]
    logits = [(module(view) + module(view.flip(-1))) / 2 for view in views]
    expected = 0.5 * logits[0] + 0.25 * logits[1] + 0.25 * logits[2]
    torch.testing.assert_close(module.predict(images), expected)
    module.config = config.task.model_copy(update={"test_time": "flip"})
    torch.testing.assert_close(module.predict(images), logits[0])
