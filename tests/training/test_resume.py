"""A run that was stopped anywhere, by anything, and resumed equals one that was not: weights, curve, results."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import visionlab
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.config.resolved import change_config
from visionlab.config.train import TrainConfig
from visionlab.errors import ConfigError, InterruptedRun, UserError
from visionlab.tracking import journal, provenance
from visionlab.tracking.catalog import all_runs
from visionlab.tracking.run import Run
from visionlab.training import checkpoints
from visionlab.training.classifier import Classifier
from visionlab.training.engine import resume, train

EPOCHS, STEPS = 4, 9  # STEPS to an epoch
CONFIG = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[32]",
    "model.dropout=0.3",
    "data.batch_size=50",
    "data.fraction=0.35",
    "data.augment.translate=1",
    "data.augment.mixup=0.2",
    f"trainer.max_epochs={EPOCHS}",
    "trainer.ema_decay=0.9",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=3",
    "tracking=off",
    "tracking.figures=false",
]
# what depends on the clock
TIMES = ("images_per_second", "epoch_seconds", "training_seconds")


def config(*overrides: str) -> TrainConfig:
    has_own_model = any(word.startswith("model=") for word in overrides)
    words = [word for word in CONFIG if not (has_own_model and word.startswith("model"))]
    return load_train_config([*words, *overrides])


def in_child(work: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> int:
    """Start `work` in a forked process; its id."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            before()
            work()
            code = 0
        except InterruptedRun as stopped:
            code = stopped.exit_code
        except UserError:
            code = 2
        finally:
            os._exit(code)
    return child


def exit_code(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def points(run: Run) -> dict[str, list[tuple[int, float]]]:
    """Everything the journal has of each metric, in its order; times and the machine's load left out."""
    found: dict[str, list[tuple[int, float]]] = {}
    for record in journal.read(run.journal_file)[0]:
        for name, value in record.get("values", {}).items():
            if not name.startswith("system/"):
                found.setdefault(name, []).append((record["step"], 0.0 if name in TIMES else value))
    return found


def weights(run: Run) -> dict[str, torch.Tensor]:
    return dict(torch.load(run.checkpoints / "last.ckpt", weights_only=True)["state_dict"])


def assert_same(run: Run, undisturbed: Run) -> None:
    ours, theirs = weights(run), weights(undisturbed)
    assert ours.keys() == theirs.keys()
    for name in ours:
        assert torch.equal(ours[name], theirs[name]), name
    assert points(run) == points(undisturbed)
    first, second = run.report(), undisturbed.report()
    for part in ("test", "validation", "confusion"):
        assert first[part] == second[part]
    assert run.status() == "FINISHED"


def wait_for_step(step: int) -> Run:
    """The run that is under way, as soon as its journal is at `step`."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for run in all_runs(project.runs()):
            steps = [record["step"] for record in journal.read(run.journal_file)[0] if "train/loss" in str(record)]
            if steps and max(steps) >= step and run.status() == "RUNNING":
                return run
        time.sleep(0.002)
    raise AssertionError("no run got so far")


def stop_at(
    step: int, number: int, monkeypatch: pytest.MonkeyPatch, when: str = "on_train_batch_end", *overrides: str
) -> Run:
    """Train until a signal arrives in that step, and stop there."""
    usual = getattr(checkpoints.Checkpoints, when)

    def hook(self: checkpoints.Checkpoints, trainer: Any, *args: Any) -> None:
        if trainer.global_step == step:
            os.kill(os.getpid(), number)
        usual(self, trainer, *args)

    with monkeypatch.context() as patched:
        patched.setattr(checkpoints.Checkpoints, when, hook)
        with pytest.raises(InterruptedRun):
            train(config(*overrides))
    return all_runs(project.runs())[-1]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Run:
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("VISIONLAB_HOME", str(tmp_path_factory.mktemp("undisturbed")))
        finished = train(config())
    assert finished is not None
    return finished


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
# in the middle of a window of the curve, at its end, at the end of an epoch, in the first and in the last step
@pytest.mark.parametrize("step", [1, 13, 15, STEPS, EPOCHS * STEPS - 1])
def test_a_stopped_run_that_is_resumed_equals_one_that_was_not(
    step: int, number: int, undisturbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = stop_at(step, number, monkeypatch)
    assert run.status() == "KILLED"
    last = journal.last(run.journal_file)
    assert last is not None
    assert last["tags"] == {"signal": signal.Signals(number).name}
    resume(run, run.config())
    assert_same(run, undisturbed)


def test_images_that_grow_have_their_size_after_a_stop_too(monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["model=cnn", "model.width=4", "data.augment.progressive=[6,7]"]
    undisturbed = train(config(*words))
    assert undisturbed is not None
    run = stop_at(STEPS + 4, signal.SIGTERM, monkeypatch, "on_train_batch_end", *words)
    resume(run, run.config())
    assert_same(run, undisturbed)


def test_a_run_stopped_before_its_validation_validates_first(undisturbed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    # a checkpoint before each validation, and death in it
    monkeypatch.setattr(checkpoints, "SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(checkpoints, "GREATEST_SHARE", 1e9)
    usual = checkpoints.Checkpoints.on_validation_start

    def die(self: checkpoints.Checkpoints, trainer: Any, module: Any) -> None:
        usual(self, trainer, module)
        if trainer.global_step == 2 * STEPS:
            os.kill(os.getpid(), signal.SIGKILL)

    def work() -> None:
        monkeypatch.setattr(checkpoints.Checkpoints, "on_validation_start", die)
        train(config())

    assert exit_code(in_child(work)) == -signal.SIGKILL
    (run,) = all_runs(project.runs())
    (run.checkpoints / ".new.ckpt.1.part").write_text("half a checkpoint")
    start, _ = checkpoints.newest(run.checkpoints)
    assert start is not None
    assert start.step == 2 * STEPS
    assert start.epochs == 1
    assert run.mark_if_abandoned()
    resume(run, run.config())
    assert_same(run, undisturbed)
    assert not list(run.checkpoints.glob(".*"))


def test_a_run_stopped_in_its_validation_validates_first(undisturbed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = Classifier.validation_step

    def told(self: Classifier, batch: Any, batch_idx: int) -> None:
        if self.trainer.global_step == 2 * STEPS:
            os.kill(os.getpid(), signal.SIGTERM)
        usual(self, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(Classifier, "validation_step", told)
        with pytest.raises(InterruptedRun):
            train(config())
    (run,) = all_runs(project.runs())
    start, _ = checkpoints.newest(run.checkpoints)
    assert start is not None
    assert (start.step, start.epochs) == (2 * STEPS, 1)
    resume(run, run.config())
    assert_same(run, undisturbed)


@pytest.mark.parametrize(
    ("step", "when"),
    [
        (2 * STEPS + 4, "on_train_batch_end"),
        (3 * STEPS, "on_validation_start"),
        (3 * STEPS + 4, "on_train_batch_end"),
        (4 * STEPS, "on_validation_start"),
    ],
)
def test_the_last_epoch_is_validated_also_out_of_turn_and_after_a_stop(
    step: int, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seldom = "trainer.val_every=3"
    undisturbed = train(config(seldom))
    assert undisturbed is not None
    assert [step for step, _ in points(undisturbed)["val/loss"]] == [3 * STEPS, EPOCHS * STEPS]
    run = stop_at(step, signal.SIGTERM, monkeypatch, when, seldom)
    resume(run, run.config())
    assert_same(run, undisturbed)


@pytest.mark.parametrize("moment", ["before the best", "before the last"])
def test_a_kill_while_a_checkpoint_is_published_costs_nothing(
    moment: str, undisturbed: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = checkpoints._link

    def die(source: Path, target: Path) -> None:
        epochs = len(points(all_runs(project.runs())[-1]).get("val/loss", []))
        if epochs == EPOCHS and target.name == ("best.ckpt" if moment == "before the best" else "previous.ckpt"):
            os.kill(os.getpid(), signal.SIGKILL)
        usual(source, target)

    def work() -> None:
        monkeypatch.setattr(checkpoints, "_link", die)
        train(config())

    assert exit_code(in_child(work)) == -signal.SIGKILL
    (run,) = all_runs(project.runs())
    run.mark_if_abandoned()
    resume(run, run.config())
    assert_same(run, undisturbed)


def test_a_run_told_to_stop_while_it_is_described_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def told(*_: Any) -> list[Path]:
        os.kill(os.getpid(), signal.SIGTERM)
        return []

    monkeypatch.setattr(provenance, "write_code_state", told)
    with pytest.raises(InterruptedRun):
        train(config())
    (run,) = all_runs(project.runs())
    assert run.status() == "KILLED"
    run.lock().release()


def test_a_run_whose_data_have_changed_does_not_go_on(undisturbed: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stop_at(5, signal.SIGTERM, monkeypatch)
    lines = run.journal_file.read_text().splitlines()
    start = json.loads(lines[0])
    start["tags"]["data.fingerprint"] = "another"
    run.journal_file.write_text("\n".join([json.dumps(start), *lines[1:]]) + "\n")
    with pytest.raises(UserError, match=r"expected the data it was trained on .*train a new run"):
        resume(run, run.config())
    with pytest.raises(UserError, match="expected the data it was trained on"):
        visionlab.load(run.id)


def test_a_finished_run_without_checkpoints_does_not_begin_anew() -> None:
    run = train(config("trainer.max_epochs=1"))
    assert run is not None
    shutil.rmtree(run.checkpoints)
    with pytest.raises(UserError, match="its checkpoints are gone"):
        resume(run, change_config(run.config(), ["trainer.max_epochs=2"], ("trainer",)))


@pytest.mark.parametrize("moment", range(2))
def test_a_killed_run_that_is_resumed_equals_one_that_was_not(moment: int, undisturbed: Run) -> None:
    kill_and_resume([(7, 29), (18, 3)][moment], undisturbed)


@pytest.mark.slow
def test_ten_kills_at_random_moments_leave_no_trace(undisturbed: Run) -> None:
    generator = torch.Generator().manual_seed(0)
    for _ in range(5):
        first, second = torch.randint(1, EPOCHS * STEPS, (2,), generator=generator).tolist()
        kill_and_resume((first, second), undisturbed)


def kill_and_resume(steps: tuple[int, int], undisturbed: Run) -> None:
    """Kill a run twice, the second time while it is resumed, and let it end."""
    child = in_child(lambda: train(config()))
    run = wait_for_step(steps[0])
    os.kill(child, signal.SIGKILL)
    assert exit_code(child) == -signal.SIGKILL
    assert run.mark_if_abandoned()
    assert run.status() == "KILLED"
    child = in_child(lambda: resume(run, run.config()))
    time.sleep(0.05 * steps[1])
    os.kill(child, signal.SIGKILL)
    if exit_code(child) != 0:
        run.mark_if_abandoned()
        resume(run, run.config())
    assert_same(run, undisturbed)


def test_a_run_that_is_under_way_cannot_be_resumed() -> None:
    child = in_child(lambda: train(config("trainer.max_epochs=2000")))
    run = wait_for_step(5)
    assert not run.mark_if_abandoned()
    with pytest.raises(UserError, match="is being trained by another process"):
        resume(run, run.config())
    os.kill(child, signal.SIGTERM)
    assert exit_code(child) == 128 + signal.SIGTERM


def test_a_damaged_last_checkpoint_falls_back_to_the_one_before(
    undisturbed: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = stop_at(3 * STEPS + 3, signal.SIGTERM, monkeypatch)
    file = run.checkpoints / "last.ckpt"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    resume(run, run.config())
    said = capsys.readouterr()
    assert "last.ckpt: damaged" in said.err
    assert f"after step {3 * STEPS} " in said.out
    assert_same(run, undisturbed)


def test_a_finished_run_goes_on_for_more_epochs_and_records_what_changed(undisturbed: Run) -> None:
    run = train(config("trainer.max_epochs=2"))
    assert run is not None
    assert points(run)["test/accuracy"][0][0] == 2 * STEPS
    changed = change_config(run.config(), [f"trainer.max_epochs={EPOCHS}"], ("trainer", "tracking"))
    resume(run, changed)
    assert run.config().trainer.max_epochs == EPOCHS
    records, _ = journal.read(run.journal_file)
    (record,) = [record for record in records if record["kind"] == "resume"]
    assert record["step"] == 2 * STEPS
    assert record["tags"] == {"resumed.trainer.max_epochs": "2 -> 4"}
    found = points(run)
    assert [step for step, _ in found["val/loss"]] == [STEPS * (epoch + 1) for epoch in range(EPOCHS)]
    assert [step for step, _ in found["test/accuracy"]] == [2 * STEPS, EPOCHS * STEPS]


def test_resuming_a_finished_run_tests_it_again_and_writes_nothing_twice(undisturbed: Run) -> None:
    run = train(config())
    assert run is not None
    before = points(run)
    resume(run, run.config())
    assert points(run) == before
    assert_same(run, undisturbed)


def test_a_run_that_early_stopping_ended_stays_ended() -> None:
    options = ["trainer.max_epochs=30", "optimizer.lr=1e-9", "trainer.early_stopping=2"]
    run = train(config(*options))
    assert run is not None
    before = points(run)
    resume(run, run.config())
    assert points(run) == before


def test_only_settings_of_trainer_and_tracking_can_change() -> None:
    with pytest.raises(ConfigError) as raised:
        change_config(config(), ["model.dropout=0", "trainer.max_epoch=3", "trainer.max_epochs=x"], ("trainer",))
    assert len(raised.value.lines) == 3
    text = str(raised.value)
    assert "model.dropout: stays as it is in a run that goes on, only trainer.* can change" in text
    assert "did you mean trainer.max_epochs" in text


def test_a_full_disk_stops_the_run_with_clear_words_and_the_last_checkpoint_whole(tmp_path: Path) -> None:
    def limit() -> None:
        # files cannot grow beyond this: the journal can, the checkpoints cannot
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (12_000, 12_000))

    first = train(config("trainer.max_epochs=1"))
    assert first is not None
    whole = (first.checkpoints / "last.ckpt").read_bytes()
    assert len(whole) > 12_000

    def work() -> None:
        try:
            resume(first, change_config(first.config(), ["trainer.max_epochs=2"], ("trainer",)))
        except UserError as error:
            (tmp_path / "said").write_text(str(error))
            raise

    assert exit_code(in_child(work, limit)) == 2
    said = (tmp_path / "said").read_text()
    assert "cannot write a checkpoint (File too large); the one before is intact" in said
    assert f"visionlab resume {first.id}" in said
    assert (first.checkpoints / "last.ckpt").read_bytes() == whole
    assert first.status() == "FAILED"
    assert not list(first.checkpoints.glob(".*"))
    json.loads((first.path / "report.json").read_text())
