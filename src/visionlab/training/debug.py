"""What `debug=` changes: true, overfit or profile."""

from __future__ import annotations

from typing import Any, Literal

from lightning.pytorch.profilers import PyTorchProfiler

from visionlab.config.data import AugmentConfig
from visionlab.config.train import TrainConfig

OVERFIT_EPOCHS = 200
PROFILE_STEPS = 20

Debug = bool | Literal["overfit", "profile"]


def adapt(config: TrainConfig) -> TrainConfig:
    """The configuration as `debug` wants it: short, untracked, and for `overfit` with nothing random in the images."""
    if not config.debug:
        return config
    data, trainer = config.data, config.trainer
    if config.debug == "overfit":
        data = data.model_copy(update={"augment": AugmentConfig()})
    trainer = trainer.model_copy(
        update={
            "max_epochs": OVERFIT_EPOCHS if config.debug == "overfit" else 1,
            "val_every": OVERFIT_EPOCHS if config.debug == "overfit" else 1,
            "early_stopping": None,
            "ema_decay": None if config.debug == "overfit" else trainer.ema_decay,
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
        profiler = PyTorchProfiler(sort_by_key="cpu_time_total", row_limit=25)
        return {"limit_train_batches": PROFILE_STEPS, "profiler": profiler}
    return {}
