"""`visionlab doctor`: each check finds what it is for, says what to do, and changes nothing."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import pytest

from visionlab import project
from visionlab.commands import doctor
from visionlab.data import cifar10_files
from visionlab.data.archive import Archive, Member
from visionlab.doctor import datasets, devices, folders, runs, software, store
from visionlab.doctor.finding import Finding, Level, failure, ok, warning
from visionlab.tracking import shipment_state
from visionlab.tracking.run import Run
from visionlab.tracking.shipment_state import ShipmentState

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Cli = Callable[..., subprocess.CompletedProcess[str]]
Output = pytest.CaptureFixture[str]


def snapshot(folder: Path) -> dict[str, float]:
    """Every file below a folder with the time it was changed; locks left out."""
    return {str(file): file.stat().st_mtime for file in folder.rglob("*") if "lock" not in file.name}


def revise(file: Path, revision: str) -> None:
    """Make a database that says its tables are as of this revision."""
    file.parent.mkdir(exist_ok=True)
    file.unlink(missing_ok=True)
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
        connection.execute("CREATE TABLE experiments (name TEXT)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    connection.close()


def test_on_a_fresh_checkout_nothing_fails_and_what_is_missing_says_how_it_comes(cli: Cli, home: Path) -> None:
    done = cli("doctor", PYTHONIOENCODING="utf-8")
    assert done.returncode == 0, done.stdout
    assert "✗" not in done.stdout
    assert "-> the first `visionlab train` that needs it fetches it (170 MB)" in done.stdout
    assert "none yet; the first run makes it" in done.stdout
    assert f"torch {version('torch')}" in done.stdout
    assert done.stderr == ""
    assert list(home.iterdir()) == []


def test_a_failure_makes_the_exit_code_1_and_a_check_that_breaks_is_one(
    command: Command, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> Finding:
        raise RuntimeError("no such thing")

    checks = [("first", lambda: ok("well")), ("second", broken), ("third", lambda: warning("odd", "look"))]
    monkeypatch.setattr(doctor, "_checks", lambda: iter(checks))
    with pytest.raises(SystemExit) as end:
        command("doctor")
    assert end.value.code == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["✓", "first", "well"]
    assert "could not be looked at (RuntimeError: no such thing)" in lines[1]
    assert [line.split() for line in lines[3:]] == [["!", "third", "odd"], ["->", "look"]]
    monkeypatch.setattr(doctor, "_checks", lambda: iter([checks[0], checks[2]]))
    command("doctor")


def test_versions_are_compared_with_the_lock(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        "torch==2.15.0 \\\n    --hash=sha256:aa\n    # via x\n"
        "Typing_Extensions==4.1\nnumpy==2.4 ; python_version >= '3.12'\nnumpy==2.3 ; python_version < '3.12'\n"
        "pywin32==1 ; sys_platform == 'win32'\npsycopg[binary]==3.1 \\\n"
    )
    pinned = software.read_lock(lock)
    installed = {"torch": "2.15.0+cpu", "typing-extensions": "4.1", "numpy": "2.4", "psycopg": "3.1", "other": "1"}
    assert software.different(pinned, installed) == []
    assert software.different(pinned, installed | {"numpy": "2.2"}) == ["numpy 2.2 instead of 2.4 or 2.3"]
    del installed["torch"]
    assert software.different(pinned, installed) == ["torch is not installed"]


def test_this_environment_is_compared_with_this_lock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert software.check_packages().level is not Level.FAILURE
    monkeypatch.setattr(project, "root", lambda: tmp_path)
    assert "there is no requirements.lock" in software.check_packages().text
    (tmp_path / "requirements.lock").write_text("numpy==1.0\n")
    finding = software.check_packages()
    assert finding.level is Level.WARNING
    assert f"numpy {version('numpy')} instead of 1.0" in finding.text
    monkeypatch.setattr(software, "SHOWN", ("torch", "no-such-library"))
    assert software.check_packages().level is Level.FAILURE


def test_a_gpu_that_torch_cannot_use_is_not_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    assert devices.check_devices().level is Level.OK
    monkeypatch.setattr(devices, "_gpus_of_the_driver", lambda: 99)
    finding = devices.check_devices()
    assert finding.level is Level.WARNING
    assert "of 99 NVIDIA GPUs" in finding.text


@pytest.mark.parametrize(
    ("gain", "automatic", "advice"),
    [
        (2.0, "bf16-mixed", ""),
        (0.5, "32-true", ""),
        (1.0, "bf16-mixed", ""),
        (2.0, "32-true", "try trainer.precision=bf16-mixed"),
        (0.5, "bf16-mixed", "try trainer.precision=32-true"),
    ],
)
def test_advice_on_precision_follows_the_measurement(
    gain: float, automatic: str, advice: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = devices.TrainerConfig(accelerator="cpu", devices=1, precision=automatic)
    monkeypatch.setattr(devices.hardware, "resolve", lambda config: settings)
    monkeypatch.setattr(devices, "_gain", lambda device: gain)
    finding = devices.check_bf16()
    assert advice in finding.advice
    assert (finding.level is Level.OK) == (advice == "")


def test_the_gain_is_measured_in_about_a_second() -> None:
    assert "times as fast as 32 bits" in devices.check_bf16().text


def test_a_folder_that_will_be_made_is_looked_at_without_making_it(tmp_path: Path) -> None:
    finding = folders.check_folder(tmp_path / "a" / "b", "VARIABLE")
    assert finding.level is Level.OK
    assert list(tmp_path.iterdir()) == []


def test_a_place_without_room_or_without_leave_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "LITTLE", 1e9)
    finding = folders.check_folder(tmp_path, "VARIABLE")
    assert finding.level is Level.WARNING
    assert "set VARIABLE to a larger disk" in finding.advice
    (tmp_path / "file").touch()
    finding = folders.check_folder(tmp_path / "file", "VARIABLE")
    assert finding.level is Level.FAILURE
    assert "set VARIABLE" in finding.advice
    monkeypatch.setenv("VISIONLAB_DATA", str(tmp_path / "file"))
    assert folders.check_data().level is Level.WARNING  # one may read what is there


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_only_be_read_is_named(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    assert folders.check_folder(tmp_path / "runs", "VARIABLE").level is Level.FAILURE


def test_cifar10_is_absent_packed_whole_or_damaged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    member = Member(5, "5d41402abc4b2a76b9719d911017c592")  # hello
    archive = Archive("CIFAR-10", "c.tar.gz", 170_000_000, "0", "cifar", {"batch": member})
    monkeypatch.setattr(datasets, "CIFAR10", archive)
    finding = datasets.check_cifar10()
    assert (finding.level, finding.text) == (Level.WARNING, f"not in {project.data()}")
    project.data().mkdir()
    (project.data() / "c.tar.gz").touch()
    assert "unpacks it" in datasets.check_cifar10().text
    folder = project.data() / "cifar"
    folder.mkdir()
    (folder / "batch").write_text("hello")
    assert datasets.check_cifar10() == ok(f"{folder}, whole")
    (folder / "batch").write_text("hallo")
    finding = datasets.check_cifar10()
    assert finding.level is Level.FAILURE
    assert "batch has another content" in finding.text
    assert "Delete that folder" in finding.advice
    (folder / "batch").unlink()
    assert "batch is missing" in datasets.check_cifar10().text
    assert cifar10_files.CIFAR10.title == "CIFAR-10"


def test_image_folders_that_the_yaml_files_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert datasets.check_folders().level is Level.OK  # the project's own files name none that has to be there
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "leaves.yaml").write_text(f"name: folder\nroot: {tmp_path}\n")
    monkeypatch.setattr(project, "conf", lambda: tmp_path)
    assert datasets.check_folders() == ok(f"leaves in {tmp_path}")
    (tmp_path / "data" / "cats.yaml").write_text("name: folder\nroot: /nowhere\n")
    finding = datasets.check_folders()
    assert (finding.level, finding.text) == (Level.WARNING, "not there: cats (/nowhere)")


def test_a_store_is_current_old_newer_or_broken_and_stays_as_it_is(home: Path) -> None:
    from visionlab.tracking.store_check import latest_revision

    latest, known = latest_revision()
    assert latest in known
    file = home / "mlruns" / "mlflow.db"
    old = next(revision for revision in known if revision != latest)
    for revision, level, said in (
        (latest, Level.OK, "answers"),
        (old, Level.WARNING, "the next run or `make ui` migrates it"),
        ("f" * 12, Level.FAILURE, "a newer one has made them"),
    ):
        revise(file, revision)
        before = snapshot(home)
        finding = store.check_local()
        assert finding.level is level
        assert said in f"{finding.text} {finding.advice}"
        assert snapshot(home) == before
    for content in (b"no database", b""):
        file.write_bytes(content)
        finding = store.check_local()
        assert finding.level is Level.FAILURE
        assert "move it away" in finding.advice


def test_a_store_that_is_locked_is_not_called_damaged(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "TIMEOUT", 0.1)
    revise(home / "mlruns" / "mlflow.db", "f" * 12)
    connection = sqlite3.connect(home / "mlruns" / "mlflow.db")
    connection.execute("BEGIN EXCLUSIVE")
    finding = store.check_local()
    connection.close()
    assert finding.level is Level.WARNING
    assert "locked" in finding.text


def test_servers_that_runs_were_sent_to_are_asked(make_run: MakeRun) -> None:
    for _ in range(2):
        make_run("tracking.uri=http://127.0.0.1:9")
    make_run()
    (uri,) = store.servers(runs.summaries(project.runs())[0])
    finding = store.check_server(uri)
    assert finding.level is Level.WARNING
    assert finding.text.startswith("http://127.0.0.1:9: does not answer")


def test_runs_that_are_gone_damaged_or_not_shipped_are_named_and_left_alone(make_run: MakeRun, home: Path) -> None:
    shipped, waiting, gone, alive, untracked = (
        make_run(), make_run(), make_run(status=None), make_run(status=None), make_run("tracking=off")
    )  # fmt: skip
    size = shipped.journal_file.stat().st_size
    shipment_state.keep(shipped, ShipmentState(mlflow_run="a", offset=size))
    shipment_state.keep(waiting, ShipmentState(mlflow_run="a", offset=10))
    with alive.lock():
        before = snapshot(home)
        assert runs.check_abandoned().text == f"the process of {gone.id} is gone"
        assert runs.check_shipping().text == f"not all of {waiting.id} is in MLflow"
        assert runs.check_folders() == ok(f"5 in {project.runs()}")
        assert snapshot(home) == before
    (untracked.path / "report.json").write_text("{")
    assert "1 of 5 damaged" in runs.check_folders().text


def test_levels_have_signs_of_their_own() -> None:
    signs = [finding.level.value for finding in (ok(""), warning("", "do"), failure("", "do"))]
    assert signs == ["✓", "!", "✗"]
