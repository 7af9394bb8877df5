"""The L1 penalty is part of what is descended, and of nothing that is measured."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from torch import Tensor

from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.config.train import TrainConfig
from visionlab.data.loader import Batch
from visionlab.training.build import build_data, build_module
from visionlab.training.classifier import Classifier

L1 = 0.01


@cache
def composed(model: str) -> TrainConfig:
    sizes = ["data.fraction=0.1", "data.batch_size=20", "trainer.devices=1"]
    return load_train_config(["experiment=digits", f"model={model}", *sizes])


def built(model: str, l1: float = 0.0) -> tuple[Classifier, Batch]:
    """A newly initialised network, and some training images."""
    config = change_config(composed(model), [f"task.l1={l1}"], None)
    data = build_data(config)
    torch.manual_seed(0)
    return build_module(config, data), next(iter(data.evaluation_loader("train", 20)))


def validation_loss(module: Classifier, batch: Batch) -> float:
    module.eval()
    module.on_validation_epoch_start()
    module.validation_step(batch, 0)
    return float(module.metrics.compute().summary["loss"])


@pytest.mark.parametrize("model", ["mlp", "cnn"])
def test_the_training_loss_grows_by_the_absolute_weights_and_the_validation_loss_does_not(model: str) -> None:
    plain, batch = built(model)
    penalised, _ = built(model, L1)
    matrices = [
        weight
        for name, weight in penalised.network.named_parameters()
        if name.endswith("weight") and weight.ndim >= 2 and not name.startswith("whiten")  # which is not trained
    ]
    assert len(matrices) >= 3
    expected = L1 * sum(float(weight.detach().double().abs().sum()) for weight in matrices)
    plain_loss: Tensor = plain.training_step(batch, 0)["loss"]
    loss: Tensor = penalised.training_step(batch, 0)["loss"]
    assert float((loss - plain_loss).detach()) == pytest.approx(expected, rel=1e-4)
    assert validation_loss(penalised, batch) == pytest.approx(validation_loss(plain, batch), rel=1e-6)


def test_its_gradient_is_the_sign_of_each_weight_and_leaves_biases_alone() -> None:
    plain, batch = built("mlp")
    penalised, _ = built("mlp", L1)
    for module in (plain, penalised):
        module.training_step(batch, 0)["loss"].backward()
    added = penalised.network.head.weight.grad - plain.network.head.weight.grad
    torch.testing.assert_close(added, L1 * penalised.network.head.weight.sign())
    torch.testing.assert_close(penalised.network.head.bias.grad, plain.network.head.bias.grad)
