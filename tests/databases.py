"""A real PostgreSQL, where the distribution's package is installed."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.tracking.server import free_port


def postgresql(options: Sequence[str] = (), password: str | None = None) -> Iterator[str]:
    """The address of a database in a cluster of its own, which ends with the iteration.

    Args:
        options: of the server, as on its command line.
        password: of the user; none is asked for without.
    """
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
        trust = ["-A", "trust"]
        if password is not None:
            Path(folder, "password").write_text(password, encoding="utf-8")
            trust = ["-A", "scram-sha-256", f"--pwfile={folder}/password"]
        subprocess.run([*as_user, str(programs[-1] / "initdb"), "-D", data, *trust, "-U", "lab"], check=True)
        words = [*options, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        subprocess.run([*control, "-o", shlex.join(words), "-l", f"{folder}/log", "start"], check=True)
        yield f"postgresql://lab@127.0.0.1:{port}/postgres"
        subprocess.run([*control, "-m", "immediate", "stop"], check=True)
