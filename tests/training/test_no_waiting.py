"""In a step the host reads nothing from the device, so that it never waits for one."""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import pytest
from lightning.pytorch.callbacks import Callback
from torch.utils._python_dispatch import TorchDispatchMode

from visionlab.config.load import load_train_config
from visionlab.training import engine, fitting
from visionlab.training.divergence import Divergence

READ = "aten::_local_scalar_dense"  # what .item(), float() and bool() of a tensor come to
CONFIG = [
    "experiment=digits",
    "model.width=4",
    "data.fraction=0.5",
    "trainer.max_epochs=1",
    "trainer.log_every=1000",
    "trainer.accelerator=cpu",
    "tracking=off",
    "tracking.figures=false",
]


class Reads(TorchDispatchMode):
    """Counts them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += func.name() == READ
        return func(*args, **(kwargs or {}))


class Window(Callback):
    """From the first batch on until the last but one, so that what is recorded at an epoch's end is left out."""

    def __init__(self) -> None:
        self.reads = Reads()
        self.steps = 0

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.reads.__enter__()

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any) -> None:
        self.steps += 1
        if self.steps == trainer.num_training_batches - 1:
            self.reads.__exit__(None, None, None)


@pytest.mark.parametrize(
    "words", [[], ["trainer.lookahead=2", "loss.label_smoothing=0.1"], ["optimizer=muon", "data.augment.mixup=0.2"]]
)
def test_no_step_reads_from_the_device(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    config = load_train_config([*CONFIG, *words])
    window, usual = Window(), fitting.callbacks_of
    monkeypatch.setattr(fitting, "callbacks_of", lambda *arguments: [*usual(*arguments), window])
    # on a CPU, where reading costs nothing, it looks at every loss at once; elsewhere only with the records
    monkeypatch.setattr(Divergence, "on_train_batch_end", lambda *arguments: None)
    engine.train(config)
    assert window.steps > 5
    assert window.reads.count == 0
