"""A real PostgreSQL, where the distribution's package is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tracking.server import free_port


def postgresql() -> Iterator[str]:
    """The address of a database in a cluster of its own, which ends with the iteration."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs:
        pytest.skip("no PostgreSQL here")
    with tempfile.TemporaryDirectory() as folder:
        as_user: list[str] = []
        if os.geteuid() == 0:  # whom PostgreSQL does not serve, and whose other temporary folders it may not enter
            as_user = ["runuser", "-u", "postgres", "--"]
            shutil.chown(folder, "postgres")
        port, data = free_port(), f"{folder}/data"
        control = [*as_user, str(programs[-1] / "pg_ctl"), "-D", data, "-s", "-w"]
        subprocess.run([*as_user, str(programs[-1] / "initdb"), "-D", data, "-A", "trust", "-U", "lab"], check=True)
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1"
        subprocess.run([*control, "-o", options, "-l", f"{folder}/log", "start"], check=True)
        yield f"postgresql://lab@127.0.0.1:{port}/postgres"
        subprocess.run([*control, "-m", "immediate", "stop"], check=True)
