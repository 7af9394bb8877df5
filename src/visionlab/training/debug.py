"""What `debug=` changes: true, overfit or profile."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback
from torch.profiler import profile

from visionlab.config.data import AugmentConfig
from visionlab.config.train import TrainConfig

OVERFIT_EPOCHS = 200
PROFILE_WARM_UP, PROFILE_STEPS = 5, 15

Debug = bool | Literal["overfit", "profile"]


def adapt(config: TrainConfig) -> TrainConfig:
    """The configuration as `debug` wants it: short, untracked, images in full size, for `overfit` as they are."""
    if not config.debug:
        return config
    data, trainer = config.data.in_full_size(), config.trainer
    if config.debug == "overfit":
        data = data.model_copy(update={"augment": AugmentConfig()})
    trainer = trainer.model_copy(
        update={
            "max_epochs": OVERFIT_EPOCHS if config.debug == "overfit" else 1,
            "val_every": OVERFIT_EPOCHS if config.debug == "overfit" else 1,
            "early_stopping": None,
            "ema_decay": None if config.debug == "overfit" else trainer.ema_decay,
            "lookahead": None if config.debug == "overfit" else trainer.lookahead,
            "log_every": 1,
        }
    )
    tracking = config.tracking.model_copy(update={"name": "off"})
    return config.model_copy(update={"data": data, "trainer": trainer, "tracking": tracking})


def trainer_arguments(debug: Debug) -> dict[str, Any]:
    """The limits that `debug` sets for Lightning's Trainer."""
    if debug is True:
        return {"limit_train_batches": 1, "limit_val_batches": 1, "limit_test_batches": 1}
    if debug == "profile":
        return {"limit_train_batches": PROFILE_WARM_UP + PROFILE_STEPS}
    return {}


class Profile(Callback):
    """Prints which operations the training steps spend their time in, and keeps the trace as `profile.json`."""

    def __init__(self) -> None:
        os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # it tells of each start, and of every device that is not there
        self._profiler: profile | None = None

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        if batch_idx == min(PROFILE_WARM_UP, trainer.num_training_batches - 1):
            self._profiler = profile(acc_events=True)
            self._profiler.start()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if self._profiler is None:
            return
        self._profiler.stop()
        by = "self_cuda_time_total" if pl_module.device.type == "cuda" else "self_cpu_time_total"
        print(self._profiler.key_averages().table(sort_by=by, row_limit=20, max_name_column_width=40))
        file = Path(trainer.default_root_dir) / "profile.json"
        self._profiler.export_chrome_trace(str(file))
        print(f"trace     {file} (open it in chrome://tracing or Perfetto)")
        self._profiler = None
