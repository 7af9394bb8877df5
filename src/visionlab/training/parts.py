"""How the images of a training step are shared: by the devices, and on each device by parts that follow each other.

`data.batch_size` is all of them together, whatever their number. The gradient is that of the mean over all of them: the
shares are weighed by what they hold, so that unequal ones, and class weights, come to the same as one large batch. What
does differ is batch normalisation, which sees one part at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.data.loader import Batch
from visionlab.errors import UserError
from visionlab.training.classifier import Classifier


def check_settings(config: TrainConfig) -> None:
    """Make sure, before the data are read, that a batch can be shared equally, and as it is wanted.

    Args:
        config: resolved for this machine.

    Raises:
        UserError: it cannot; names the nearest sizes, and numbers of devices, that can.
    """
    size, shares = config.data.batch_size, config.trainer.world_size * config.trainer.accumulate
    if size % shares:
        below = size - size % shares
        values = " or ".join(str(value) for value in (below, below + shares) if value)
        raise UserError(
            f"data.batch_size: expected a total that {sharers(config)} can share equally, given {size}; "
            f"use {values}{_other_devices(config)}"
        )
    if config.trainer.sync_batch_norm and config.trainer.accelerator == "cpu" and config.trainer.world_size > 1:
        raise UserError(
            "trainer.sync_batch_norm: torch can do it on GPUs alone, given several CPU processes; set it to false, and "
            "each process normalises by its own share of a batch, or train in one process"
        )


def check_shares(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier) -> None:
    """Make sure that every share of a step has an image, and two where there is batch normalisation.

    Raises:
        UserError: there is less.
    """
    size, devices, parts = datamodule.train_batch_size, config.trainer.world_size, config.trainer.accumulate
    if size < devices * parts:
        raise UserError(f"data: expected at least an image for each of {sharers(config)}, found {size} to train on")
    # normalised together are the images of a part, or those of all devices that are at the same part
    together = size // (parts if config.trainer.sync_batch_norm else devices * parts)
    if together == 1 and any(isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d) for layer in module.modules()):
        where = f" for each of {sharers(config)}" if devices * parts > 1 else ""
        raise UserError(
            f"data.batch_size: expected at least 2 images{where}, because model={config.model.name} has batch "
            f"normalisation, given {size} in all"
        )


def sharers(config: TrainConfig) -> str | None:
    """What a batch is shared by, in words; None where it stays whole."""
    devices, parts = config.trainer.world_size, config.trainer.accumulate
    if parts == 1:
        return f"{devices} devices" if devices > 1 else None
    return f"{parts} parts on each of {devices} devices" if devices > 1 else f"{parts} parts"


def _other_devices(config: TrainConfig) -> str:
    """The nearest numbers of devices, on all machines together, that can share the batch; "" where one has it all."""
    devices, size, parts = config.trainer.world_size, config.data.batch_size, config.trainer.accumulate
    able = [count for count in range(1, size // parts + 1) if size % (count * parts) == 0]
    nearest = [max((count for count in able if count < devices), default=0)]
    nearest.append(min((count for count in able if count > devices), default=0))
    if devices == 1 or not any(nearest):
        return ""
    return f", or train on {' or '.join(map(str, filter(None, nearest)))} devices (a run that goes on keeps its batch)"


def in_parts(implementation: type[Classifier], parts: int) -> type[Classifier]:
    """`implementation`, whose `training_step` is now given a batch in so many parts."""
    return type(implementation.__name__, (InParts, implementation), {"parts": parts})


class InParts(Classifier):
    """A mixin that takes a training step part by part, and weighs this process's share of it.

    After each part its gradient is added to those before, so that no more than one part is in memory. The last part's
    is left to the trainer, which then joins the gradients of all processes. Augmentation, the schedule, clipping and
    everything that is told of a step see the whole.
    """

    parts: int

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        """As that of the class that this is mixed into; the values are means over all parts."""
        if not self.automatic_optimization:
            return super().training_step(batch, batch_idx)
        self.zero_grad()
        cut = [Batch(*part) for part in zip(*(field.tensor_split(self.parts) for field in batch), strict=True)]
        sums: dict[str, Tensor] = {}
        for number, (part, (of_images, of_weight)) in enumerate(zip(cut, self._shares(cut), strict=True), start=1):
            # a training_step of one's own may return nothing but the loss
            output: Any = super().training_step(part, batch_idx)
            values: dict[str, Any] = dict(output) if isinstance(output, Mapping) else {"loss": output}
            loss = values.pop("loss") * of_weight
            if number < len(cut):
                with torch.autocast(self.device.type, enabled=False):
                    self.trainer.strategy.backward(loss, None)
                loss = loss.detach()
            sums["loss"] = sums.get("loss", 0) + loss
            for name, value in values.items():
                if isinstance(value, Tensor) and value.ndim == 0:
                    sums[name] = sums.get(name, 0) + of_images * value.detach()
        return sums

    def optimizer_zero_grad(self, epoch: int, batch_idx: int, optimizer: Optimizer) -> None:
        """Lightning asks for it when the step is done but for the last part, whose gradient the others' stay with."""
        if not self.automatic_optimization:
            super().optimizer_zero_grad(epoch, batch_idx, optimizer)

    def _shares(self, cut: list[Batch]) -> list[tuple[float, Tensor | float]]:
        """What to multiply each part's means with, so that their sum, as a mean over the processes, is the step's.

        Returns:
            For each part its share of the images, and of the weight that the loss gives them.
        """
        processes = self.trainer.world_size
        whole: int = self.trainer.datamodule.train_batch_size  # type: ignore[attr-defined]
        of_images = [processes * len(part.indices) / whole for part in cut]
        weigh = getattr(self.loss, "total_weight", None)  # a loss of one's own may have none
        weights = [weight for part in cut if weigh is not None and (weight := weigh(part.targets)) is not None]
        if not weights:
            return [(share, share) for share in of_images]
        stacked = torch.stack(weights)
        total = self.trainer.strategy.reduce(stacked.sum(), reduce_op="sum")
        of_weight = processes * stacked / total.clamp(min=torch.finfo(total.dtype).tiny)  # images may weigh nothing
        return list(zip(of_images, of_weight.unbind(), strict=True))
