"""The benchmarks' arithmetic, and that they start."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from argparse import Namespace
from pathlib import Path

import numpy as np
import psutil
import pytest

from visionlab import project
from visionlab.errors import ConfigError
from visionlab.tracking import journal, provenance

REAL = project.data() / "cifar-10-batches-py"
SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"


@pytest.fixture
def bench_lib(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import bench_lib

    return bench_lib


def test_the_ratio_is_taken_within_pairs(bench_lib) -> None:  # type: ignore[no-untyped-def]
    drift = np.array([1.0, 5.0, 2.0, 9.0, 3.0])  # the machine's speed changes, the ratio does not
    ratio = bench_lib.median_ratio(2 * drift, drift)
    assert (ratio.value, ratio.low, ratio.high) == (2.0, 2.0, 2.0)


def test_the_interval_covers_the_median_19_times_in_20(bench_lib) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    covered = 0
    for _ in range(60):
        ratio = bench_lib.median_ratio(random.lognormal(0.1, 0.05, 15), np.ones(15))
        covered += ratio.low <= np.exp(0.1) <= ratio.high
    assert covered >= 52


def test_a_total_counts_what_a_median_leaves_out(bench_lib) -> None:  # type: ignore[no-untyped-def]
    above, below = [1.0] * 9 + [11.0], [1.0] * 10
    assert bench_lib.median_ratio(above, below).value == 1.0
    ratio = bench_lib.total_ratio(above, below, 5.0, 0.0)
    assert ratio.value == 2.5
    assert (ratio.low, ratio.high) == (1.5, pytest.approx(4.5, abs=1.1))


@pytest.mark.slow
def test_trainings_take_turns_to_their_end(bench_lib, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """Of two trainings one is stopped while the other works; both come to their end with every step recorded once."""
    import bench_tracking

    monkeypatch.setenv("VISIONLAB_HOME", str(home))
    times = bench_tracking.measure({"off": ["tracking=off"], "local": []}, "digits", 4, 3)
    assert [len(time.blocks) for time in times.values()] == [4, 4]
    assert all(seconds > 0 for time in times.values() for seconds in (*time.blocks, time.rest))
    for file in (home / "runs").glob("*/metrics.jsonl"):
        steps = [record["step"] for record in journal.read(file)[0] if "train/loss" in record.get("values", {})]
        assert steps == sorted(set(steps))
        assert steps[-1] >= 13


def test_diagnostics_are_timed_in_steps_that_record_beside_steps_that_do_not(  # type: ignore[no-untyped-def]
    bench_lib, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import bench_diagnostics

    monkeypatch.setattr(provenance, "write_code_state", lambda *_: [])
    recorded, plain = bench_diagnostics.measure("digits", 4, "model=mlp", "model.hidden=[8]")
    assert len(recorded) == len(plain) == 4
    assert all(milliseconds > 0 for milliseconds in recorded + plain)
    (file,) = (home / "runs").glob("*/metrics.jsonl")
    found = [record for record in journal.read(file)[0] if "diagnostics/grad_norm/head" in record.get("values", {})]
    counted = [record["step"] for record in found if record["step"] > bench_diagnostics.WARM_UP]
    assert counted[:4] == [11, 14, 15, 18]


@pytest.mark.slow
@pytest.mark.parametrize("script", sorted(SCRIPTS.glob("bench_*[!b].py")), ids=lambda file: file.stem)
def test_a_benchmark_says_how_it_is_used(script: Path) -> None:
    done = subprocess.run([sys.executable, str(script), "--help"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"scripts/{script.name}" in done.stdout


def test_a_reference_is_read_as_it_prints(bench_lib, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    import bench_cifar10

    script = tmp_path / "record.py"
    script.write_text('print("epoch 1: accuracy 0.51, 1.0 s")\nprint("accuracy 94.02 %, 2.59 seconds")\n')
    arguments = Namespace(
        reference=script, reference_seconds=bench_cifar10.SECONDS, reference_accuracy=bench_cifar10.ACCURACY
    )
    found = bench_cifar10.reference(arguments)
    assert (found.accuracy, found.seconds) == (pytest.approx(0.9402), 2.59)
    assert found.wall > 0
    script.write_text('print("2.59 seconds")\n')
    with pytest.raises(SystemExit, match="nothing that it prints is found by --reference-accuracy"):
        bench_cifar10.reference(arguments)
    script.write_text("raise OSError('no such network')\n")
    with pytest.raises(SystemExit, match="exit code 1"):
        bench_cifar10.reference(arguments)


def test_the_bare_loop_is_the_same_recipe(bench_lib, home: Path) -> None:  # type: ignore[no-untyped-def]
    """The same loader, seed and steps come to the same network, to the last image."""
    import cifar10_arms

    from visionlab.config.load import load_train_config
    from visionlab.training.engine import train

    words = ["experiment=digits", "model.width=4", "trainer.max_epochs=2", "data.val_fraction=0", "trainer.lookahead=5"]
    words += ["trainer.accelerator=cpu", "tracking=off", "tracking.figures=false"]
    run = train(load_train_config(words))
    assert run is not None
    assert cifar10_arms.bare(words).accuracy == run.report()["test"]["accuracy"]


@pytest.mark.slow
@pytest.mark.skipif(not REAL.exists(), reason=f"CIFAR-10 is not in {project.data()}")
def test_the_usual_template_learns(bench_lib, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    """What ours is measured against is a training, too: from 2,000 images far more than the tenth that guessing has."""
    import cifar10_arms
    import rivals

    monkeypatch.setenv("VISIONLAB_DATA", str(REAL.parent))
    words = ["experiment=cifar10_cnn", "model.width=8", "data.fraction=0.04", "data.batch_size=50"]
    words += ["optimizer=adamw", "task.test_time=none", "trainer.max_epochs=3", "trainer.accelerator=cpu"]
    config, datamodule, module, device = cifar10_arms._parts(words)
    before = cifar10_arms._accuracy(config, datamodule, module, device)
    assert rivals.train_template(config, datamodule, module.train(), "32-true") > 0
    assert cifar10_arms._accuracy(config, datamodule, module, device) > max(0.25, before)


@pytest.mark.parametrize("word", ["trainer.accumulate=2", "trainer.compile=true"])
def test_steps_that_are_not_forward_passes_are_refused(bench_lib, word: str) -> None:  # type: ignore[no-untyped-def]
    import turns

    assert turns.configure("digits").trainer.accelerator == "cpu"
    with pytest.raises(ConfigError, match=word.partition("=")[0]):
        turns.configure("digits", word)


def _all_stop(processes: list[psutil.Process]) -> bool:
    """A signal takes a moment to arrive; what stays stopped for a while is stopped."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if all(one.status() == psutil.STATUS_STOPPED for one in processes):
            time.sleep(0.2)
            return all(one.status() == psutil.STATUS_STOPPED for one in processes)
        time.sleep(0.01)
    return False


@pytest.mark.slow
def test_who_waits_for_its_turn_is_stopped_with_its_shipping_process(bench_lib, home: Path) -> None:  # type: ignore[no-untyped-def]
    import bench_tracking
    from turns import Contestant

    contestant = Contestant(bench_tracking.train, [], "digits", 20, skipped=0, block=2)
    try:
        contestant.turn()  # in which its shipping process is started
        family = [contestant.process, *contestant.process.children(recursive=True)]
        assert any("visionlab.tracking.shipper" in " ".join(one.cmdline()) for one in family)
        assert _all_stop(family)
        assert contestant.turn() > 0
        assert _all_stop(family)
    finally:
        contestant.kill()
    assert not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in family)


@pytest.mark.slow
def test_a_benchmark_that_is_told_to_end_leaves_no_stopped_process(home: Path) -> None:
    words = ["--parts", "time", "--experiment", "digits", "--rounds", "1000"]
    command = [sys.executable, str(SCRIPTS / "bench_tracking.py"), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any(line.startswith("round 1:") for line in process.stdout)
        family = psutil.Process(process.pid).children(recursive=True)
        assert len(family) > 4
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
    _, alive = psutil.wait_procs(family, timeout=20)
    assert not alive


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--variants", "optimzer=sgd"], "did you mean optimizer"),
        (["--settings", "data.fraction=2"], "data.fraction: expected"),
        (["--variants", "seed=1", "seed=1"], "expected each arm once"),
    ],
)
def test_settings_are_checked_before_anything_is_measured(  # type: ignore[no-untyped-def]
    words: list[str], expected: str, bench_lib, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import bench_cifar10

    monkeypatch.setattr(sys, "argv", ["bench_cifar10.py", *words])
    with pytest.raises(SystemExit) as caught:
        bench_cifar10.main()
    assert caught.value.code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.slow
def test_each_round_has_every_arm_once(bench_lib, home: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    """The command in a process of its own and the bare loop in another come to the same accuracy in every round."""
    import bench_cifar10

    words = ["experiment=digits", "model.width=4", "trainer.max_epochs=1", "data.val_fraction=0"]
    words += ["trainer.accelerator=cpu", "tracking=off"]
    variant = "model=mlp model.hidden=[8]"
    settings = {"ours": words, "bare": words, variant: [word for word in words if word[:6] != "model."]}
    settings[variant] += variant.split()
    results = bench_cifar10.measure(Namespace(runs=2, reference=None), settings)
    assert [len(rounds) for rounds in results.values()] == [2, 2, 2]
    for ours, bare in zip(results["ours"], results["bare"], strict=True):
        assert ours.accuracy == bare.accuracy
        assert 0 < ours.seconds < ours.wall
    assert results["ours"][0].accuracy != results["ours"][1].accuracy
    said = capsys.readouterr().out
    assert "whitening of ours: 0." in said
    assert f"whitening of {variant}: 0.000 s" in said  # it has no layer that is computed
    bench_cifar10.say(results, [*settings])
    printed = capsys.readouterr().out
    assert "ours / bare, seconds" in printed
    assert f"{variant} / ours, seconds" in printed
