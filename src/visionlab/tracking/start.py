"""The run or the file that `model.init_from` means. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from visionlab import project
from visionlab.config.train import TrainConfig
from visionlab.errors import UserError
from visionlab.tracking.catalog import find_run
from visionlab.tracking.run import Run


def find_start(name: str) -> tuple[Path, Run | None]:
    """The checkpoint that a name means, and the run that it is of, if any.

    Raises:
        UserError: there is no such run or file.
    """
    file = Path(name).expanduser()
    if file.is_file():
        run = Run(file.absolute().parent.parent)
        return file, run if run.journal_file.exists() else None
    if file.suffix == ".ckpt":
        raise UserError(f"model.init_from: expected a run or a checkpoint file, found no file {name}")
    try:
        run = find_run(project.runs(), name)
        return run.checkpoint(), run
    except UserError as error:
        raise UserError(f"model.init_from: {error}") from error


def name_start(config: TrainConfig) -> TrainConfig:
    """The configuration with `model.init_from` as a name that means the same later: an id, or a file's full path.

    Raises:
        UserError: there is no such run or file.
    """
    name = config.model.init_from
    if name is None:
        return config
    file, run = find_start(name)
    lasting = str(file.absolute()) if run is None or Path(name).expanduser().is_file() else run.id
    return config.model_copy(update={"model": config.model.model_copy(update={"init_from": lasting})})
