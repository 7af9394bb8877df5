"""The learning-rate range test trains as the run would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.training import lr_find
from visionlab.training.lr_find import RangeTest, find_lr, steepest

TINY = [
    "experiment=digits",
    "model.width=4",
    "data.batch_size=50",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
]


class Spy(RangeTest):
    """Notes the gradient's norm and the images' side in each step, and whether filters have their channels last."""

    norms: list[float]
    formats: set[bool]
    sides: set[int]

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        gradients = [weight.grad for weight in pl_module.parameters() if weight.grad is not None]
        self.norms.append(float(torch.nn.utils.get_total_norm(gradients)))
        self.sides.add(batch.images.shape[-1])
        for weight in pl_module.network.parameters():
            # with one channel, or of one pixel, both formats are the same
            if weight.ndim == 4 and weight.shape[1] > 1 and weight.shape[-1] > 1:
                self.formats.add(weight.is_contiguous(memory_format=torch.channels_last))


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Spy]]:
    monkeypatch.setattr(Spy, "norms", [], raising=False)
    monkeypatch.setattr(Spy, "formats", set(), raising=False)
    monkeypatch.setattr(Spy, "sides", set(), raising=False)
    monkeypatch.setattr(lr_find, "RangeTest", Spy)
    monkeypatch.setattr(lr_find, "STEPS", 20)
    monkeypatch.setattr(lr_find, "save_lr_find", lambda *_: None)
    return Spy


def test_gradients_are_clipped_as_in_the_run(spy: type[Spy]) -> None:
    find_lr(load_train_config([*TINY, "trainer.gradient_clip=0.01"]))
    assert max(spy.norms) <= 0.0101
    spy.norms.clear()
    find_lr(load_train_config(TINY))
    assert max(spy.norms) > 0.1


def test_the_network_is_in_the_memory_format_of_the_run(spy: type[Spy]) -> None:
    for channels_last in (True, False):
        spy.formats.clear()
        find_lr(load_train_config([*TINY, f"trainer.channels_last={channels_last}"]))
        assert spy.formats == {channels_last}


def test_images_have_their_full_size(spy: type[Spy]) -> None:
    find_lr(load_train_config([*TINY, "data.augment.progressive=[6]"]))
    assert spy.sides == {8}


def test_the_steepest_descent_before_the_lowest_point() -> None:
    rates = np.geomspace(1e-4, 1, 5)
    assert steepest(rates, np.array([3.0, 2.9, 1.5, 1.4, 9.0])) == 1
    with pytest.raises(UserError, match="expected a loss that falls"):
        steepest(rates, np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
