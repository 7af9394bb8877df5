"""What the installed mlflow expects of a database."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from alembic.script import ScriptDirectory


def latest_revision() -> tuple[str | None, set[str]]:
    """The migration that mlflow's tables have after all of its migrations, and every one on the way there."""
    package = find_spec("mlflow")  # importing it would take seconds
    assert package is not None
    assert package.origin is not None
    scripts = ScriptDirectory(str(Path(package.origin).parent / "store" / "db_migrations"))
    return scripts.get_current_head(), {script.revision for script in scripts.walk_revisions()}
