"""What training is measured against: a bare loop over the same tensors, and the way in which most templates train."""

from __future__ import annotations

import time
from typing import Any

import lightning.pytorch as pl
import torch
from torch import Tensor, nn

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.training.classifier import Classifier
from visionlab.training.lookahead import SlowWeights


def train_bare(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier, device: torch.device) -> None:
    """Do the least that has to be done: same loader, network, optimizer and precision; no Lightning, no tracking.

    Args:
        config: resolved.
        datamodule: placed on `device`.
        module: on `device`, initialised, in the wanted memory format.
    """
    network, loss, loader = module.network.train(), module.loss, datamodule.train_dataloader()
    steps, done = config.trainer.max_epochs * len(loader), 0
    optimizer = config.optimizer.load_implementation()(config.optimizer.at(config.data.batch_size), module)
    factor = config.schedule.load_implementation()(config.schedule)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, steps))
    every = config.trainer.lookahead
    slow = SlowWeights(network, every, steps) if every is not None else None
    for epoch in range(config.trainer.max_epochs):
        loader.set_epoch(epoch)
        for batch in loader:
            with autocast(config, device):
                value = loss(network(batch.images), batch.targets)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            schedule.step()
            done += 1
            if slow is not None:
                slow.follow(done, done % len(loader) == 0)
    assert done == steps


def autocast(config: TrainConfig, device: torch.device) -> torch.autocast:
    """The precision of a resolved configuration, as a context."""
    kinds = {"bf16-mixed": torch.bfloat16, "16-mixed": torch.float16}
    dtype = kinds.get(config.trainer.precision)
    return torch.autocast(device.type, dtype or torch.bfloat16, enabled=dtype is not None)


def train_template(config: TrainConfig, datamodule: ImageDataModule[Any], module: Classifier, precision: Any) -> float:
    """Train on as many images of CIFAR-10 as ours: torchvision, PIL transforms, two worker processes, Lightning.

    Crops are padded with zeros, as in most.

    Returns:
        Seconds, without set-up.
    """
    from torch.utils.data import DataLoader, Subset
    from torchvision import transforms
    from torchvision.datasets import CIFAR10

    pipeline = transforms.Compose(
        [
            transforms.RandomCrop(32, padding=config.data.augment.translate),
            transforms.RandomHorizontalFlip(),
            transforms.ToTensor(),
            transforms.Normalize(datamodule.mean.tolist(), datamodule.std.tolist()),
        ]
    )
    source: Any = Subset(CIFAR10(str(project.data()), transform=pipeline), range(datamodule.sizes["train"]))
    loader = DataLoader(source, config.data.batch_size, shuffle=True, num_workers=2, drop_last=True)
    trainer = pl.Trainer(
        accelerator=config.trainer.accelerator,
        devices=1,
        precision=precision,
        max_epochs=config.trainer.max_epochs,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    rival = Template(module, config.trainer.max_epochs * len(loader))
    began = time.perf_counter()
    trainer.fit(rival, loader)
    return time.perf_counter() - began


class Template(pl.LightningModule):
    """The same network, loss and optimizer as ours, in a module as it is usually written."""

    def __init__(self, module: Classifier, steps: int) -> None:
        super().__init__()
        self.network: nn.Module = module.network
        self.loss, self.steps = module.loss, steps
        self.optimizer_config, self.schedule_config = module.optimizer_config, module.schedule_config

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        images, labels = batch
        logits = self.network(images)
        loss: Tensor = self.loss(logits, labels)
        self.log("train/loss", loss)
        self.log("train/accuracy", (logits.argmax(dim=1) == labels).float().mean())
        return loss

    def configure_optimizers(self) -> Any:
        optimizer = self.optimizer_config.load_implementation()(self.optimizer_config, self)
        factor = self.schedule_config.load_implementation()(self.schedule_config)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: factor(step, self.steps))
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}
