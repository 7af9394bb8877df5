"""Whole runs on a few digits: what they leave behind, that they repeat, that the number of processes is no matter."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.utilities import rank_zero_only

import visionlab
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.data.datamodule import ImageDataModule
from visionlab.errors import UserError
from visionlab.tracking import journal
from visionlab.tracking.run import Run
from visionlab.training.classifier import Classifier
from visionlab.training.divergence import DivergedError
from visionlab.training.engine import train
from visionlab.training.fitting import evaluate

TINY = [
    "experiment=digits",
    "model=mlp",
    "model.hidden=[16]",
    "data.fraction=0.3",
    "data.batch_size=50",
    "data.augment.translate=0",
    "trainer.max_epochs=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=3",
    "tracking=off",
    "tracking.figures=false",
]


def run(*overrides: str) -> Run:
    finished = train(load_train_config([*TINY, *overrides]))
    assert finished is not None
    return finished


def weights(finished: Run, name: str = "last.ckpt") -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = torch.load(finished.checkpoints / name, weights_only=True)["state_dict"]
    return state


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_a_run_leaves_config_journal_checkpoints_figures_and_report() -> None:
    finished = run("tracking.figures=true")
    assert finished.config().trainer.precision == "32-true"
    assert {file.name for file in finished.checkpoints.iterdir()} == {"best.ckpt", "last.ckpt", "previous.ckpt"}
    assert {file.name for file in finished.figures.iterdir()} >= {"confusion_matrix.png", "confusion_matrix.csv"}
    report = finished.report()
    total = sum(map(sum, report["confusion"]))
    right = sum(row[i] for i, row in enumerate(report["confusion"]))
    assert total == 359
    assert report["test"]["accuracy"] == pytest.approx(right / total)

    records, _ = journal.read(finished.journal_file)
    assert [record["kind"] for record in records][0 :: len(records) - 1] == ["start", "status"]
    assert finished.status() == "FINISHED"
    steps_per_epoch = next(r["step"] for r in records if "val/accuracy" in r.get("values", {}))
    curve = [(r["step"], r["values"]) for r in records if "train/loss" in r.get("values", {})]
    assert [step for step, _ in curve] == sorted(
        {*range(3, 2 * steps_per_epoch + 1, 3), steps_per_epoch, 2 * steps_per_epoch}
    )
    validations = [r["values"]["val/accuracy"] for r in records if "val/accuracy" in r.get("values", {})]
    assert len(validations) == 2
    assert report["validation"]["accuracy"] == max(validations)
    tested = [r for r in records if "test/accuracy" in r.get("values", {})]
    assert len(tested) == 1
    assert tested[0]["step"] == 2 * steps_per_epoch


def test_the_same_seed_gives_the_same_weights_bit_for_bit() -> None:
    options = ["data.augment.translate=1", "data.augment.flip=random", "data.augment.mixup=0.2", "model.dropout=0.1"]
    first, second = run(*options), run(*options)
    assert_equal(weights(first), weights(second))
    assert first.report()["test"] == second.report()["test"]
    other = run(*options, "seed=1")
    assert any(not torch.equal(a, b) for a, b in zip(weights(first).values(), weights(other).values(), strict=True))


@pytest.mark.slow
def test_tracking_off_never_imports_mlflow() -> None:
    code = "import sys; from visionlab.cli import main; main(sys.argv[1:]); assert 'mlflow' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code, "train", *TINY], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not (project.home() / "mlruns").exists()


def test_without_validation_the_last_weights_are_tested() -> None:
    finished = run("data.val_fraction=0")
    assert [file.name for file in finished.checkpoints.iterdir()] == ["last.ckpt"]
    assert not (finished.path / "tables" / "validation_confusion_matrix.json").exists()
    assert "validation" not in finished.report()
    assert finished.report()["test"]["accuracy"] > 0.1


def test_averaged_weights_are_what_is_tested_and_saved() -> None:
    plain, averaged = run("data.val_fraction=0"), run("data.val_fraction=0", "trainer.ema_decay=0.9")
    ours, theirs = weights(averaged), weights(plain)
    assert any(not torch.equal(ours[name], theirs[name]) for name in ours)
    loaded = visionlab.load(averaged.id)
    evaluate(loaded.config, loaded.module, loaded.data, [])
    assert loaded.module.scores is not None
    assert loaded.module.scores.summary == pytest.approx(averaged.report()["test"])


def test_early_stopping_ends_the_run() -> None:
    finished = run("trainer.max_epochs=30", "optimizer.lr=1e-9", "trainer.early_stopping=2")
    records, _ = journal.read(finished.journal_file)
    assert sum("val/accuracy" in record.get("values", {}) for record in records) == 3


def test_the_last_epoch_is_validated_and_may_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    finished = run("trainer.max_epochs=3", "trainer.val_every=2", "trainer.early_stopping=5")
    records, _ = journal.read(finished.journal_file)
    accuracies = [r["values"]["val/accuracy"] for r in records if "val/accuracy" in r.get("values", {})]
    assert [r["values"]["epoch"] for r in records if "val/accuracy" in r.get("values", {})] == [2, 3]
    assert finished.report()["validation"]["accuracy"] == max(accuracies)
    shown = [line for line in capsys.readouterr().out.splitlines() if line.startswith("epoch ")]
    assert ["val loss" in line for line in shown] == [False, True, True]


def test_a_run_with_fewer_epochs_than_between_validations_is_validated_once() -> None:
    records, _ = journal.read(run("trainer.max_epochs=2", "trainer.val_every=5").journal_file)
    assert [r["values"]["epoch"] for r in records if "val/accuracy" in r.get("values", {})] == [2]


def test_load_gives_the_weights_that_were_tested() -> None:
    finished = run()
    loaded = visionlab.load(finished.id)
    assert isinstance(loaded.module, Classifier)
    assert isinstance(loaded.data, ImageDataModule)
    evaluate(loaded.config, loaded.module, loaded.data, [])
    assert loaded.module.scores is not None
    assert loaded.module.scores.summary == pytest.approx(finished.report()["test"])


def test_two_processes_train_and_measure_like_one() -> None:
    # 359 test images and 36 validation images do not divide by 2; the batches of 50 do
    one = run("trainer.strategy=ddp_fork", "trainer.devices=1")
    two = run("trainer.strategy=ddp_fork", "trainer.devices=2")
    assert sum(map(sum, two.report()["confusion"])) == 359
    for name, value in weights(one).items():
        torch.testing.assert_close(weights(two)[name], value, rtol=1e-4, atol=1e-5)
    assert two.report()["confusion"] == one.report()["confusion"]
    assert two.report()["test"] == pytest.approx(one.report()["test"], abs=1e-5)
    assert two.report()["validation"] == pytest.approx(one.report()["validation"], abs=1e-5)


def test_a_batch_of_one_image_is_refused_where_there_is_batch_normalisation() -> None:
    with pytest.raises(UserError, match=r"data\.batch_size: expected at least 2 images.*model=cnn has batch norm"):
        train(load_train_config(["experiment=digits", "data.batch_size=1", "tracking=off"]))
    assert not project.runs().exists()


def test_a_batch_that_devices_cannot_share_equally_is_refused_with_the_nearest_sizes() -> None:
    with pytest.raises(UserError, match=r"data\.batch_size: .*2 devices.*given 51; use 50 or 52"):
        run("trainer.strategy=ddp_fork", "trainer.devices=2", "data.batch_size=51")
    assert not project.runs().exists()


def test_the_validation_confusion_matrix_is_that_of_the_best_epoch() -> None:
    finished = run("trainer.max_epochs=4", "optimizer.lr=0.05")
    table = json.loads((finished.path / "tables" / "validation_confusion_matrix.json").read_text())
    counts = [row[1:] for row in table["data"]]
    right = sum(counts[i][i] for i in range(10))
    assert right / sum(map(sum, counts)) == pytest.approx(finished.report()["validation"]["accuracy"])


def test_profiling_shows_where_the_time_goes(capsys: pytest.CaptureFixture[str]) -> None:
    finished = run("debug=profile")
    assert "aten::" in capsys.readouterr().out
    assert json.loads((finished.path / "profile.json").read_text())["traceEvents"]
    assert finished.config().tracking.name == "off"


@pytest.mark.parametrize("debug", ["true", "overfit"])
def test_debugging_leaves_no_trace_in_the_tracking(debug: str) -> None:
    finished = run("tracking.name=mlflow", f"debug={debug}", "optimizer.lr=0.05")
    assert finished.config().tracking.name == "off"
    records, _ = journal.read(finished.journal_file)
    if debug == "true":
        assert max(record.get("step", 0) for record in records) == 1
    else:
        assert [r["values"]["train/accuracy"] for r in records if "train/accuracy" in r.get("values", {})][-1] == 1.0


def test_a_failure_is_recorded_with_its_traceback_and_comes_through() -> None:
    with pytest.raises(DivergedError) as raised:
        run("optimizer.lr=1e30")
    (path,) = project.runs().iterdir()
    assert Run(path).status() == "FAILED"
    last = journal.last(Run(path).journal_file)
    assert last is not None
    assert last["tags"] == {"error.class": "DivergedError", "error.message": str(raised.value)}
    assert "DivergedError" in (path / "traceback.txt").read_text()
    artifacts = [record["file"] for record in journal.read(Run(path).journal_file)[0] if record["kind"] == "artifact"]
    assert "traceback.txt" in artifacts


def test_16_bits_on_a_machine_without_gpu_are_refused_naming_bf16(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"trainer\.precision: 16-mixed needs a GPU.*bf16-mixed"):
        train(load_train_config([*TINY, "trainer.accelerator=auto", "trainer.precision=16-mixed"]))
    assert not project.runs().exists()


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_a_rank_that_somebody_else_has_set_is_none_of_ours(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "1")
    monkeypatch.setattr(rank_zero_only, "rank", 1)  # as Lightning has it, imported with that variable set
    assert run("trainer.max_epochs=1").status() == "FINISHED"
