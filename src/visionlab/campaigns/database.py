"""The databases that hold the state of campaigns: one of this folder, or one that several machines share."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import optuna
import sqlalchemy
from filelock import FileLock

from visionlab.errors import UserError
from visionlab.tracking.shipment_state import redacted

FILE_NAME = "campaigns.db"
# a trial of another machine that has not been heard of for GRACE is taken to be dead
HEARTBEAT_SECONDS, GRACE_SECONDS = 15, 60
# a lock of the database itself, which ends with the connection that took it; the number is ours, chosen at random
LOCKS = {"postgresql": "SELECT pg_advisory_lock(7316042285)", "mysql": "SELECT GET_LOCK('visionlab', 60)"}


def connect(storage: str | None, folder: Path) -> optuna.storages.RDBStorage:
    """The database, which is made on first use: under a lock, as two processes at once would break it.

    Raises:
        UserError: it cannot be had.
    """
    optuna.logging.set_verbosity(logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    warnings.filterwarnings("ignore", message="Heartbeat of storage is supposed to be used")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"{folder}: expected a folder that can be written to ({error.strerror}); set VISIONLAB_HOME to one"
        ) from None
    address = storage or f"sqlite:///{folder / FILE_NAME}"
    if address.startswith("postgresql://"):
        # the driver that is installed, not SQLAlchemy's first choice
        address = address.replace("://", "+psycopg2://", 1)
    try:
        with FileLock(folder / f".{FILE_NAME}.lock"), _alone(address):
            return optuna.storages.RDBStorage(
                address,
                heartbeat_interval=HEARTBEAT_SECONDS,
                grace_period=GRACE_SECONDS,
                engine_kwargs={"pool_pre_ping": True} if storage else {"connect_args": {"timeout": 60}},
            )
    except Exception as error:  # noqa: BLE001 - whatever a database's driver comes up with
        said = redacted(str(error).replace(address, "…"))
        raise UserError(f"study.storage: expected a database that can be opened, given one that says: {said}") from None


@contextlib.contextmanager
def _alone(address: str) -> Iterator[None]:
    """Keep other machines from making the tables at the same time."""
    statement = LOCKS.get(sqlalchemy.make_url(address).get_backend_name())
    if statement is None:
        yield
        return
    engine = sqlalchemy.create_engine(address, poolclass=sqlalchemy.NullPool)
    with engine.connect() as connection:
        connection.execute(sqlalchemy.text(statement))
        yield


def forget(name: str, folder: Path) -> None:
    """Remove a campaign from the database in `folder`, if it is there; a shared database keeps what it has."""
    if (folder / FILE_NAME).exists():
        with contextlib.suppress(KeyError):
            optuna.delete_study(study_name=name, storage=connect(None, folder))
