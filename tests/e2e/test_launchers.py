"""Real processes, started by visionlab, by torchrun and as srun would: they make one run, and end as one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from tests.tracking.server import free_port
from tests.tracking.stored import stored
from visionlab import project
from visionlab.tracking import journal
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

Cli = Callable[..., subprocess.CompletedProcess[str]]
SCRIPTS = project.root() / "scripts"
FAILING = Path(__file__).with_name("failing.py")
END_SECONDS = 30.0
OPTIONS = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "data.batch_size=48",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=3",
    "tracking.figures=false",
]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]


def start(command: list[str], output: Path, **environment: str) -> subprocess.Popen[bytes]:
    with output.open("ab") as stream:
        return subprocess.Popen(command, stdout=stream, stderr=subprocess.STDOUT, env=os.environ | environment)


def wait_for(text: str, output: Path, process: subprocess.Popen[bytes] | None = None) -> None:
    end = time.monotonic() + 120
    while text not in output.read_text():
        assert process is None or process.poll() is None, output.read_text()
        assert time.monotonic() < end, output.read_text()
        time.sleep(0.02)


def left_over(home: Path) -> list[list[str]]:
    """The command lines of processes that work in this home."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("VISIONLAB_HOME") == str(home) and process.pid != os.getpid():
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def the_run() -> Run:
    (run,) = all_runs(project.runs())
    return run


def test_two_processes_on_each_of_two_nodes_by_the_torchrun_script_make_one_run(home: Path) -> None:
    address = f"127.0.0.1:{free_port()}"
    command = [str(SCRIPTS / "launch_torchrun.sh"), "train", *OPTIONS, "trainer.max_epochs=2", "name=nodes"]
    outputs = [home / "node0", home / "node1"]
    nodes = [
        start(command, output, PYTHON=sys.executable, NODES="2", NODE=str(node), MASTER=address, PROCESSES="2")
        for node, output in enumerate(outputs)
    ]
    codes = [node.wait(240) for node in nodes]
    said, silent = (output.read_text() for output in outputs)
    assert codes == [0, 0], said + silent
    run = the_run()
    assert run.status() == "FINISHED"
    assert (run.config().trainer.devices, run.config().trainer.num_nodes) == (2, 2)
    assert sum(map(sum, run.report()["confusion"])) == 359
    assert [said.count(f"epoch {epoch}/2") for epoch in (1, 2)] == [1, 1]
    assert "epoch" not in silent
    assert "visionlab" not in silent
    assert stored(run).info.status == "FINISHED"


def test_torchrun_is_told_in_one_line_what_does_not_agree(home: Path) -> None:
    done = subprocess.run(
        [*TORCHRUN, "-m", "visionlab", "train", *OPTIONS, "trainer.devices=3", "tracking=off"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stderr.count("visionlab: trainer.devices: expected auto or 2, as torchrun has started 2") == 1
    assert not project.runs().exists()


def assert_failed(run: Run, kind: str, message: str, rank: int = 1) -> None:
    last = journal.last(run.journal_file)
    assert last is not None
    assert (last["kind"], last["status"]) == ("status", "FAILED")
    assert last["tags"]["error.class"] == kind
    assert last["tags"]["error.rank"] == str(rank)
    assert message in last["tags"]["error.message"]


@pytest.mark.parametrize(
    ("launcher", "moment", "how", "kind", "message"),
    [
        ("visionlab", "20", "raise", "OutOfMemoryError", "rank 1: OutOfMemoryError: no room for another tensor"),
        ("visionlab", "data", "kill", "Killed", "rank 1 was killed by signal 9"),
        ("torchrun", "20", "kill", "Killed", "rank 1 was killed"),
        ("nodes", "20", "kill", "Killed", "rank 1 was killed"),
        ("torchrun", "data", "raise", "OutOfMemoryError", "rank 1: OutOfMemoryError: no room for another tensor"),
    ],
)
def test_a_process_that_fails_takes_all_down_with_its_reason(
    launcher: str, moment: str, how: str, kind: str, message: str, cli: Cli, home: Path
) -> None:
    nodes = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(free_port())]
    program = [str(FAILING), "1", moment, how, "train", *OPTIONS, "trainer.max_epochs=30", "tracking=off"]
    by = {
        "visionlab": [[sys.executable, *program, "trainer.devices=2"]],
        "torchrun": [[*TORCHRUN, *program]],
        "nodes": [[*TORCHRUN[:3], *nodes, "--node-rank", node, *program] for node in "01"],
    }
    output = home / "output"
    codes = [process.wait(120) for process in [start(command, output) for command in by[launcher]]]
    assert time.time() - (home / "failed").stat().st_mtime < END_SECONDS
    said = output.read_text()
    assert 0 not in codes
    assert f"visionlab: {message}" in said
    assert ("OutOfMemoryError" in said) == (how == "raise")
    assert left_over(home) == []
    run = the_run()
    assert_failed(run, kind, message)
    ended = (run.path / "traceback.txt").read_text()
    assert message.removeprefix("rank 1: OutOfMemoryError: ") in ended
    if launcher == "visionlab" and how == "raise":
        done = cli("resume", run.id, "trainer.devices=1", "trainer.max_epochs=2")
        assert done.returncode == 0, done.stderr
        assert "ranks     2 before, 1 now" in done.stdout
        assert run.status() == "FINISHED"


@pytest.mark.parametrize(
    ("launcher", "message"), [([], "rank 0 was killed"), (TORCHRUN[1:], "rank 0 was killed by signal 9")]
)
def test_the_others_say_how_the_first_process_has_died(launcher: list[str], message: str, home: Path) -> None:
    program = [str(FAILING), "0", "20", "kill", "train", *OPTIONS, "trainer.max_epochs=30", "trainer.devices=2"]
    output = home / "output"
    process = start([sys.executable, *launcher, *program], output)
    assert process.wait(120) != 0
    if not launcher:  # then it is the first process itself that has ended
        wait_for("visionlab: rank 0", output)
    said = output.read_text()
    assert f"visionlab: {message}" in said
    run = the_run()
    assert_failed(run, "Killed", message, rank=0)
    end = (home / "failed").stat().st_mtime + END_SECONDS
    while left_over(home):  # the one that sends to MLflow is the last
        assert time.time() < end
        time.sleep(0.1)
    assert stored(run).info.status == "FAILED"


def fake(folder: Path, name: str, text: str) -> None:
    file = folder / name
    file.write_text(f"#!/usr/bin/env bash\n{text}")
    file.chmod(0o755)


# starts two tasks, as srun would on one node
SRUN = """
while [[ $1 == --* ]]; do shift; done
export SLURM_STEP_ID=0 SLURM_NTASKS=2 SLURM_NNODES=1 SLURM_STEP_NODELIST=127.0.0.1 SLURM_NODEID=0
for rank in 0 1; do
    SLURM_PROCID=$rank SLURM_LOCALID=$rank "$@" &
    pids+=($!)
done
echo "${pids[@]}" >"$FAKES/tasks"
code=0
for pid in "${pids[@]}"; do wait "$pid" || code=$?; done
exit "$code"
"""


def test_a_slurm_job_whose_time_is_up_is_requeued_and_goes_on_with_its_run(home: Path, tmp_path: Path) -> None:
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    fake(fakes, "srun", SRUN)
    fake(fakes, "scontrol", 'echo "$@" >>"$FAKES/asked"\n')
    environment = {
        "PATH": f"{fakes}:{os.environ['PATH']}",
        "FAKES": str(fakes),
        "PYTHON": sys.executable,
        "SLURM_JOB_ID": "17",
    }
    script = ["bash", str(SCRIPTS / "slurm_train.sbatch"), *OPTIONS, "trainer.max_epochs=20", "tracking=off"]
    output = home / "output"
    job = start(script, output, **environment)
    wait_for("epoch  2/20", output, job)
    for pid in (fakes / "tasks").read_text().split():
        os.kill(int(pid), signal.SIGUSR1)
    assert job.wait(60) == 128 + signal.SIGUSR1, output.read_text()
    assert (fakes / "asked").read_text() == "requeue 17\n"
    run = the_run()
    last = journal.last(run.journal_file)
    assert last is not None
    assert (last["status"], last["tags"]) == ("KILLED", {"signal": "SIGUSR1"})
    assert "requeued  job 17 goes on with this run" in output.read_text()
    assert left_over(home) == []

    output = home / "requeued"
    job = start(script, output, **environment, SLURM_RESTART_COUNT="1")
    assert job.wait(120) == 0, output.read_text()
    assert "goes on   after step" in output.read_text()
    assert the_run().status() == "FINISHED"
    assert (fakes / "asked").read_text() == "requeue 17\n"
