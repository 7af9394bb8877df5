"""Whether the MLflow stores answer, and whether their tables are those of the installed mlflow."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from visionlab import project
from visionlab.comparison.summary import Summary
from visionlab.config.trainer import TrackingConfig
from visionlab.doctor.finding import Finding, failure, ok, warning

TIMEOUT = 5.0  # seconds, for a store that other processes write to


def check_local() -> Finding:
    """The database `mlruns/mlflow.db`, which is only read: opening it with mlflow would migrate it."""
    file = project.home() / "mlruns" / "mlflow.db"
    if not file.exists():
        return ok(f"{file}: none yet; the first run makes it")
    try:
        revision = _revision(file)
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            return warning(f"{file}: is locked by another process", "try again when that has ended")
        return _damaged(file, error)
    except sqlite3.DatabaseError as error:
        return _damaged(file, error)
    from visionlab.tracking.store_check import latest_revision

    wanted, known = latest_revision()
    if revision == wanted:
        return ok(f"{file}: answers, tables as of {revision}")
    if revision in known:
        return warning(
            f"{file}: tables as of {revision}, the installed mlflow has {wanted}",
            "copy the file to a safe place; the next run or `make ui` migrates it",
        )
    return failure(
        f"{file}: tables as of {revision}, which the installed mlflow does not know: a newer one has made them",
        "`make setup` installs the mlflow of the lock; or set VISIONLAB_HOME to another folder",
    )


def check_server(uri: str) -> Finding:
    """A tracking server, or database, that a run was sent to."""
    from visionlab.tracking.mlflow import connect

    try:
        connect(TrackingConfig(uri=uri)).search_experiments(max_results=1)
    except Exception as error:  # noqa: BLE001 - whatever a server or a network may come up with
        line = " ".join(str(error).split())[:200]
        return warning(
            f"{uri}: does not answer ({type(error).__name__}: {line})",
            "start it; runs go on without it, and `visionlab sync` sends later what it missed",
        )
    return ok(f"{uri}: answers")


def servers(runs: list[Summary]) -> list[str]:
    """The tracking servers that runs were sent to, each once."""
    uris = (one.start["params"].get("tracking.uri") for one in runs)
    return list(dict.fromkeys(str(uri) for uri in uris if uri))


def _revision(file: Path) -> str | None:
    """Which tables a database has, in the words of its migrations."""
    connection = sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=TIMEOUT)
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        connection.execute("SELECT count(*) FROM experiments").fetchone()
    finally:
        connection.close()
    return None if row is None else str(row[0])


def _damaged(file: Path, error: Exception) -> Finding:
    return failure(
        f"{file}: is no MLflow database that can be read ({error})",
        f"move it away and delete runs/*/shipped.json; `visionlab sync` then fills a new {file.name}",
    )
