"""Registering the network of a run by hand, and what to type to have it served. Needs no mlflow until it registers."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking import shipment_state
from visionlab.tracking.delivery import explain
from visionlab.tracking.package import Package, origin
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import ship_everything

if TYPE_CHECKING:
    from visionlab.tracking.registry import Registered

LONGEST_ALIAS = 255


def check_name(name: str) -> None:
    """Refuse a name that MLflow, or a URL or a filter with it in, would take for something else.

    Raises:
        UserError: it is such a name.
    """
    if not re.fullmatch(r"\w[\w.-]{0,99}", name):
        raise UserError(f"model name {name!r}: expected up to 100 letters, digits, _, - and ., not - or . first")


def check_alias(alias: str) -> None:
    """Refuse an alias that MLflow would.

    Raises:
        UserError: it is such an alias.
    """
    if not re.fullmatch(rf"[\w-]{{1,{LONGEST_ALIAS}}}", alias):
        raise UserError(f"--alias {alias!r}: expected letters, digits, _ and -")
    if alias.lower() == "latest" or re.fullmatch(r"[vV]\d+", alias):
        raise UserError(f"--alias {alias}: expected another word, MLflow means something of its own by it")


def register(run: Run, package: Package, name: str, alias: str, description: str | None) -> Registered:
    """Bring all of a run to MLflow, and then its network under a name.

    Raises:
        UserError: MLflow does not answer, or refuses.
    """
    try:
        ship_everything(run)
        from visionlab.tracking.mlflow import Store

        with shipment_state.lock(run):
            mlflow_run = shipment_state.load(run).mlflow_run
            assert mlflow_run is not None
            registry = Store(run.config()).registry(mlflow_run, package, origin(run))
            return registry.register(name, alias, description)
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            f"{run.config().tracking.uri or local_store()}: does not register {run.id} ({explain(error)}); "
            "the same command goes on where it stopped"
        ) from error


def local_store() -> str:
    """The address of the local store, as MLflow's own command takes it."""
    return f"sqlite:///{project.home() / 'mlruns' / 'mlflow.db'}"


def serve_command(run: Run, name: str, alias: str, bin_folder: Path) -> str:
    """What serves a version, typed in any folder.

    Args:
        bin_folder: of the environment's commands; MLflow finds its server's program by the PATH.
    """
    uri = run.config().tracking.uri or local_store()
    return (
        f'PATH={shlex.quote(str(bin_folder))}:"$PATH" MLFLOW_TRACKING_URI={shlex.quote(uri)} '
        f"mlflow models serve -m models:/{name}@{alias} --env-manager local --port 5001"
    )
