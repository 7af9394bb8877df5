"""The weights that a new run starts from: pretrained ones, those of an earlier run, or new ones."""

from __future__ import annotations

from torch import Tensor

from visionlab.config.train import TrainConfig
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import UserError
from visionlab.tracking import journal
from visionlab.tracking.run import Run
from visionlab.tracking.start import find_start
from visionlab.training import checkpoint_file
from visionlab.training.build import initialize_from_data
from visionlab.training.checkpoint_file import DamagedCheckpointError
from visionlab.training.classifier import Classifier

PREFIX = "network."
HEAD = "head."


def initialize(config: TrainConfig, module: Classifier, datamodule: ImageDataModule) -> None:  # type: ignore[type-arg]
    """Give a newly built network its weights.

    Raises:
        UserError: the weights cannot be had, or are those of another network.
    """
    name = config.model.init_from
    load_pretrained = getattr(module.network, "load_pretrained", None)
    if load_pretrained is not None and name is None:
        load_pretrained()
    initialize_from_data(module, datamodule)
    if name is not None:
        file, run = find_start(name)
        same_classes = run is not None and _classes(run) == list(datamodule.classes)
        try:
            state = checkpoint_file.read(file)["state_dict"]
        except DamagedCheckpointError as error:
            raise UserError(
                f"model.init_from: expected a run's checkpoint as it was written, given another file: {error}; "
                "weights of other origin are for model=pretrained model.weights=FILE"
            ) from error
        _take(state, module, str(file), config, keep_head=same_classes)


def _classes(run: Run) -> list[str] | None:
    """The names of the classes that a run was trained on, by label."""
    for record in journal.read(run.journal_file)[0]:
        if record["kind"] == "dataset":
            return list(record["classes"])
    return None


def _take(state: dict[str, Tensor], module: Classifier, source: str, config: TrainConfig, keep_head: bool) -> None:
    """Put the network's tensors of a checkpoint into `module`, but for the head if that is to stay new."""
    found = {name.removeprefix(PREFIX): tensor for name, tensor in state.items() if name.startswith(PREFIX)}
    own = module.network.state_dict()
    if not keep_head:
        found = {name: tensor for name, tensor in found.items() if not name.startswith(HEAD)}
        own = {name: tensor for name, tensor in own.items() if not name.startswith(HEAD)}
    for name in [*own, *found]:
        ours, theirs = (_shape(tensors.get(name)) for tensors in (own, found))
        if ours != theirs:
            raise UserError(
                f"model.init_from: expected weights for model={config.model.name} as it is set here, found those of "
                f"another network or of images of another kind in {source}: {name} is {theirs} there, {ours} here; "
                f"set model.* and the images' size and channels as in that run"
            )
    module.network.load_state_dict(found, strict=False)


def _shape(tensor: Tensor | None) -> str:
    return "missing" if tensor is None else "x".join(str(size) for size in tensor.shape) or "a number"
