"""One campaign on several machines: by a PostgreSQL database, and by a cluster's jobs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.campaigns.conftest import TINY, Campaign, results
from visionlab.campaigns.study import Study
from visionlab.config.search import Objective
from visionlab.tracking.run import Run

pytestmark = pytest.mark.slow


@pytest.mark.timeout(300)
def test_two_machines_share_the_total_of_a_study(postgresql: str, tmp_path: Path) -> None:
    words = [
        "grid",
        *TINY,
        "campaign.name=shared",
        "optimizer.lr=range(1,11)",
        "optimizer=sgd",
        f"study.storage={postgresql}",
    ]
    machines = [
        subprocess.Popen(
            [sys.executable, "-m", "visionlab", *words],
            env=os.environ | {"VISIONLAB_HOME": str(tmp_path / name)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for name in ("one", "other")
    ]
    outputs = [machine.communicate(timeout=240)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], outputs
    found = Study("shared", postgresql, tmp_path, (Objective(),), "test").results("grid")
    assert len(found.finished()) == 10
    assert max(Counter(child.proposal for child in found.finished()).values()) == 1
    shares = [
        {child.run for child in found.finished() if (tmp_path / name / "runs" / child.run).exists()}
        for name in ("one", "other")
    ]
    assert all(shares)
    assert shares[0].isdisjoint(shares[1])
    assert len(shares[0] | shares[1]) == 10
    for name, share in zip(("one", "other"), shares, strict=True):
        assert all(Run(tmp_path / name / "runs" / run).status() == "FINISHED" for run in share)


@pytest.mark.timeout(120)
def test_machines_that_come_first_at_the_same_time_make_the_tables_once(postgresql: str, tmp_path: Path) -> None:
    code = (
        "import sys, time, pathlib\n"
        "from visionlab.campaigns.database import connect\n"
        "time.sleep(float(sys.argv[3]) - time.time())\n"
        "connect(sys.argv[1], pathlib.Path(sys.argv[2]))\n"
    )
    at_once = str(time.time() + 10)
    machines = [
        subprocess.Popen([sys.executable, "-c", code, postgresql, str(tmp_path / str(number)), at_once])
        for number in range(6)
    ]
    assert [machine.wait(100) for machine in machines] == [0] * 6


@pytest.mark.timeout(300)
def test_runs_are_jobs_of_a_cluster(campaign: Campaign) -> None:
    found = campaign(
        "grid",
        "jobs",
        "optimizer.lr=0.01,0.02",
        "campaign.launcher=slurm",
        "campaign.slurm={cluster: local, timeout_min: 5}",
        "campaign.workers=2",
    )
    assert found.tally()["finished"] == 2
    assert results("jobs").children == found.children
