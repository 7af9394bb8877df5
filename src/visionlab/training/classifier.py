"""The LightningModule that learns one label for each image.

To change how it learns, subclass it and override one method: `training_step` for the step, `predict` for the
evaluation, `configure_optimizers` for the rest. README.md has the recipe.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from visionlab.config.adapt import AdaptConfig
from visionlab.config.optimizer import OptimizerChoice, ScheduleChoice
from visionlab.config.task import TaskConfig
from visionlab.data.loader import Batch
from visionlab.training.adaptation import scale_rates
from visionlab.training.metrics import ClassifierMetrics, Scores


class Classifier(pl.LightningModule):
    """Trains `network` by `loss` and measures it on the validation and the test split.

    Args:
        config: of the task.
        network: images (B, C, H, W) -> logits (B, K).
        loss: (logits (B, K), targets (B,) or (B, K)) -> scalar.
        optimizer, schedule: their configurations; the schedule is stepped after every batch.
        num_classes: K.
        positive: of two classes, the label that rates are reported for.
        adapt: how the learning rates of the stages differ.
        broken_is_wrong: whether an image whose logits are NaN or infinite counts as wrong, instead of as an error.
    """

    def __init__(
        self,
        config: TaskConfig,
        network: nn.Module,
        loss: nn.Module,
        optimizer: OptimizerChoice,
        schedule: ScheduleChoice,
        num_classes: int,
        positive: int | None = None,
        adapt: AdaptConfig | None = None,
        broken_is_wrong: bool = False,
    ) -> None:
        super().__init__()
        self.config = config
        self.network, self.loss = network, loss
        self.optimizer_config, self.schedule_config, self.adapt_config = optimizer, schedule, adapt
        self.metrics = ClassifierMetrics(loss, num_classes, config.top_k, positive, broken_is_wrong)
        self.scores: Scores | None = None

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, C, H, W) -> logits (B, K)."""
        logits: Tensor = self.network(images)
        return logits

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """The loss to descend, and the accuracy on the batch as seen by the network (augmented)."""
        logits = self(batch.images)
        loss = self.loss(logits, batch.targets)
        if self.config.l1 > 0:
            loss = loss + self.config.l1 * self._absolute_weights()
        labels = batch.targets if batch.targets.ndim == 1 else batch.targets.argmax(dim=1)
        # a tensor on the device: reading it here would make the host wait for every step
        return {"loss": loss, "accuracy": (logits.detach().argmax(dim=1) == labels).float().mean()}

    def _absolute_weights(self) -> Tensor:
        """The sum of the absolute values of all filters and matrices that are trained (Tibshirani 1996)."""
        weights = [weight for weight in self.network.parameters() if weight.requires_grad and weight.ndim >= 2]
        return torch.stack([weight.float().abs().sum() for weight in weights]).sum()

    def predict(self, images: Tensor) -> Tensor:
        """Logits (B, K) as they are tested: with `test_time` the mean over several views of each image."""
        if self.config.test_time == "none":
            logits: Tensor = self(images)
            return logits
        mean = self._both_ways(images)
        if self.config.test_time == "flip":
            return mean
        wide, (height, width) = pad(images, (1, 1, 1, 1), mode="reflect"), images.shape[-2:]
        moved = [self._both_ways(wide[:, :, by : by + height, by : by + width]) for by in (0, 2)]
        return mean / 2 + (moved[0] + moved[1]) / 4

    def _both_ways(self, images: Tensor) -> Tensor:
        """The mean of the logits (B, K) of images and their mirror images."""
        logits: Tensor = (self(images) + self(images.flip(-1))) / 2
        return logits

    def on_validation_epoch_start(self) -> None:
        self.metrics.reset()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self.metrics.update(self(batch.images), batch.targets, batch.indices)

    def on_validation_epoch_end(self) -> None:
        self._report("val")

    def on_test_epoch_start(self) -> None:
        self.metrics.reset()

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        self.metrics.update(self.predict(batch.images), batch.targets, batch.indices)

    def on_test_epoch_end(self) -> None:
        self._report("test")

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer_config.load_implementation()(self.optimizer_config, self)
        if self.adapt_config is not None and self.adapt_config.layer_decay < 1:
            scale_rates(optimizer, self.network, self.adapt_config.layer_decay)
        factor = self.schedule_config.load_implementation()(self.schedule_config)
        total = int(self.trainer.estimated_stepping_batches)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, total))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    def _report(self, split: str) -> None:
        self.scores = self.metrics.compute()
        # for checkpoints and early stopping, which go by these values; every process has the same ones. The journal
        # gets them from a callback, because Lightning would log them a step early
        self.log_dict({f"{split}/{name}": value for name, value in self.scores.summary.items()}, logger=False)
