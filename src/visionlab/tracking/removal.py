"""Taking a run out of MLflow, and off the disk."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from visionlab import project
from visionlab.config.trainer import TrackingConfig
from visionlab.errors import UserError
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState

TRASH = ".trash"  # in the folder of the runs; a search for runs does not look into it


def is_in_store(state: ShipmentState) -> bool:
    """Whether MLflow should have something of a run. A local store that was removed as a whole has nothing."""
    return state.mlflow_run is not None and (state.uri is not None or _local_store().exists())


def remove_from_store(state: ShipmentState) -> None:
    """Delete what MLflow has of a run. That it is not there any more is no error.

    MLflow keeps what is deleted, out of sight, until `mlflow gc`.

    Raises:
        UserError: the store does not answer, or does not allow it.
    """
    from visionlab.tracking.mlflow import connect

    try:
        connect(TrackingConfig(uri=state.uri)).delete_run(state.mlflow_run or "")
    except Exception as error:
        if getattr(error, "error_code", None) == "RESOURCE_DOES_NOT_EXIST":
            return
        line = " ".join(str(error).split())[:300]
        raise UserError(
            f"{state.uri or _local_store()}: does not delete run {state.mlflow_run} ({type(error).__name__}: {line}); "
            "its folder was not removed either; try again later, or --disk-only removes the folder alone"
        ) from error


def move_to_trash(run: Run) -> None:
    """Put the folder of a run where no run is found any more, all at once.

    Raises:
        UserError: the system does not allow it.
    """
    trash = run.path.parent / TRASH
    try:
        trash.mkdir(exist_ok=True)
        run.path.rename(trash / f"{run.id}.{os.getpid()}")
    except OSError as error:
        raise UserError(f"{run.path}: cannot be removed ({error.strerror})") from error


def empty_trash(folder: Path) -> None:
    """Delete what was removed from the runs in `folder`, also by a process that was killed before it came to this."""
    try:
        shutil.rmtree(folder / TRASH)
    except FileNotFoundError:
        return  # another process does the same
    except OSError as error:
        raise UserError(f"{error.filename}: cannot be deleted ({error.strerror}); the run itself is gone") from error


def _local_store() -> Path:
    return project.home() / "mlruns" / "mlflow.db"
