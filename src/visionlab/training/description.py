"""What a new run's journal begins with: its settings, where it comes from, and the images that it is given."""

from __future__ import annotations

import socket
from typing import Any

import torch

from visionlab import project
from visionlab.config.resolved import flatten
from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.tracking import provenance
from visionlab.tracking.catalog import reproduction_tags
from visionlab.tracking.journal import Journal
from visionlab.tracking.member import Member
from visionlab.tracking.run import Run
from visionlab.training import hardware
from visionlab.training.classifier import Classifier
from visionlab.training.identity import fingerprint

CONTEXTS = {"train": "training", "val": "validation", "test": "test"}  # MLflow's words


def describe(
    run: Run,
    journal: Journal,
    config: TrainConfig,
    datamodule: ImageDataModule[Any],
    module: Classifier,
    member: Member | None,
    reproduces: Run | None,
) -> None:
    """Write a new run's first records.

    Args:
        module: as it is before the first step.
        member: of a run of a campaign.
        reproduces: the run that this one is to come out like.
    """
    journal.append(
        "start",
        run=run.id,
        **({"campaign": member.campaign, "title": member.title} if member else {}),
        params=flatten(config.model_dump(mode="json"))
        | {"model.parameters": parameter_count(module)}
        | {"optimizer.resolved_lr": config.optimizer.at(config.data.batch_size).lr},
        tags=_origin(config, module, member, reproduces)
        | {"data.fingerprint": datamodule.fingerprint}
        | {f"data.{name}": value for name, value in datamodule.origin.items()}
        | {f"data.{name}": str(count) for name, count in datamodule.notes.items()},
    )
    for split, size in datamodule.sizes.items():
        journal.append(
            "dataset",
            context=CONTEXTS[split],
            name=f"{config.data.name}-{split}",
            digest=datamodule.fingerprint[:36],
            images=size,
            classes=datamodule.counts(split),
        )
    if member is None:
        for file in provenance.write_code_state(project.root(), run.path / "code"):
            journal.append("artifact", file=str(file.relative_to(run.path)))


def parameter_count(module: Classifier) -> int:
    """Of the network, trained or frozen."""
    return sum(weight.numel() for weight in module.network.parameters())


def _origin(config: TrainConfig, module: Classifier, member: Member | None, reproduces: Run | None) -> dict[str, str]:
    machine = hardware.describe(config.trainer)
    own = {"threads": str(torch.get_num_threads()), "weights.start": fingerprint(module.state_dict())}
    if member is not None:
        own |= {"campaign": member.campaign, "host": socket.gethostname(), "hardware": machine}
        return member.tags | own
    if reproduces is not None:
        own |= reproduction_tags(reproduces)
    return provenance.provenance(project.root(), machine) | own
