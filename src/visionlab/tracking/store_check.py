"""What the installed mlflow expects of a database."""

from __future__ import annotations

from pathlib import Path

import mlflow
from alembic.script import ScriptDirectory


def latest_revision() -> tuple[str | None, set[str]]:
    """The migration that mlflow's tables have after all of its migrations, and every one on the way there."""
    scripts = ScriptDirectory(str(Path(mlflow.__file__).parent / "store" / "db_migrations"))
    return scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
