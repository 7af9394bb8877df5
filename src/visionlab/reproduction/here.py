"""What a reproduction would find on this machine, now. Reads the data set and makes the network, but trains nothing."""

from __future__ import annotations

import lightning.pytorch as pl
import torch

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.reproduction.facts import Facts, facts
from visionlab.reproduction.original import Original, to_train
from visionlab.tracking import provenance
from visionlab.tracking.start import name_start
from visionlab.training import hardware
from visionlab.training.build import build_data, build_module
from visionlab.training.debug import adapt
from visionlab.training.description import CONTEXTS
from visionlab.training.identity import fingerprint
from visionlab.training.quiet import quieten
from visionlab.training.starting import initialize


def config_here(original: Original) -> TrainConfig:
    """The configuration to train with: on the run's devices, or where they are not here, on one that is."""
    config = to_train(original)
    try:
        trainer = hardware.resolve(config.trainer)
    except UserError:
        trainer = hardware.resolve(hardware.for_any_machine(config.trainer))
    return name_start(adapt(config.model_copy(update={"trainer": trainer})))


def look(original: Original, config: TrainConfig) -> Facts:
    """The facts that a run of `config` would record.

    Raises:
        UserError: the data set is not here, or what the run started from is not.
    """
    quieten()
    hardware.use_threads_of(original.run)
    pl.seed_everything(config.seed, verbose=False)
    datamodule = build_data(config)
    if not original.is_tested:
        datamodule.withhold_test()
    module = build_module(config, datamodule)
    initialize(config, module, datamodule)
    tags = provenance.provenance(project.root(), hardware.describe(config.trainer)) | {
        "threads": str(torch.get_num_threads()),
        "weights.start": fingerprint(module.state_dict()),
        "data.fingerprint": datamodule.fingerprint,
    }
    counts = {CONTEXTS[split]: datamodule.counts(split) for split in datamodule.sizes}
    return facts(
        tags, provenance.uncommitted(project.root()), config.trainer.model_dump(), counts, provenance.installed()
    )
