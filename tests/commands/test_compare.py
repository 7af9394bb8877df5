"""`visionlab compare`: what differs is said, what does not is left out, nothing is claimed that was not measured."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from visionlab.errors import UserError
from visionlab.tracking import predictions
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Output = pytest.CaptureFixture[str]


def test_a_better_run_is_called_better_with_its_interval_and_test(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    first, second = make_run("optimizer.lr=0.01", right=300), make_run("optimizer.lr=0.02", right=360)
    command("compare", first.id, second.id)
    said = capsys.readouterr().out
    assert "B is better than A by 15.0 points of accuracy:" in said
    assert "McNemar p < 0.001: only A is right on 0 images, only B on 60" in said
    assert re.search(r"^optimizer\.lr +0\.01 +0\.02$", said, re.MULTILINE)
    assert "trainer.max_epochs" not in said  # the same in both
    picture = Path(said.split("picture")[1].strip())
    assert picture == first.path / "comparisons" / f"{first.id[:4]}_{second.id[:4]}.png"
    assert picture.stat().st_size > 10_000
    command("compare", second.id, first.id)
    assert "B is worse than A by 15.0 points of accuracy:" in capsys.readouterr().out


def test_a_difference_within_chance_is_not_called_one(make_run: MakeRun, command: Command, capsys: Output) -> None:
    runs = make_run("seed=1", right=300), make_run("seed=2", right=303)
    command("compare", *(run.id for run in runs))
    said = capsys.readouterr().out
    assert "No clear difference in accuracy between B and A:" in said
    assert "McNemar p = 0.25" in said
    assert "better than" not in said
    assert "No class and no confusion of two classes differs clearly" in said


def test_equal_answers_are_said_to_be_equal(make_run: MakeRun, command: Command, capsys: Output) -> None:
    command("compare", *(make_run(right=300).id for _ in range(2)))
    said = capsys.readouterr().out
    assert "B and A are right on the same images" in said
    assert "settings that differ" not in said


def test_each_of_several_runs_is_compared_with_the_first_with_adjusted_p_values(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    runs = [make_run(f"seed={seed}", right=right) for seed, right in enumerate((300, 306, 306, 301))]
    command("compare", *(run.id for run in runs))
    said = capsys.readouterr().out
    # 2 / 2**6 = 0.031 each, times three comparisons
    assert said.count("McNemar p = 0.094") == 2
    assert "adjusted for 3 comparisons" in said
    assert "better than" not in said


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ({"data.fingerprint": "0" * 32}, "the content of the data has changed"),
        ({"labels": np.tile(np.arange(10), 30)}, "400 and 300 images"),
        ({"labels": np.roll(np.tile(np.arange(10), 40), 1)}, "the labels differ"),
    ],
)
def test_other_test_images_are_compared_without_intervals(
    other: dict[str, object], why: str, make_run: MakeRun, command: Command, capsys: Output
) -> None:
    command("compare", make_run(right=300).id, make_run("seed=1", right=200, **other).id)
    said = capsys.readouterr().out
    assert f"B: was not tested on the images of A, so there are no intervals: {why}" in said
    assert "McNemar" not in said
    assert "accuracy  75.00%" in said


def test_the_seed_of_the_split_changes_the_validation_images_and_not_the_test_images(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    command("compare", make_run(right=300).id, make_run("data.split_seed=1", right=350).id)
    said = capsys.readouterr().out
    assert "These are not the same images for all runs" in said
    assert "B is better than A" in said


def test_runs_without_a_test_are_compared_by_settings_and_validation(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    runs = make_run("seed=1", epochs=(0.5, 0.7)), make_run("seed=2", epochs=(0.6, 0.8)), make_run(right=300, epochs=())
    command("compare", *(run.id for run in runs))
    said = capsys.readouterr().out
    assert "accuracy    70.00%  80.00%" in said
    assert "A: was not tested." in said
    assert "B: was not tested." in said
    assert "C: was not tested" not in said
    assert "McNemar" not in said
    assert Path(said.split("picture")[1].strip()).exists()


def test_a_run_under_way_is_compared_by_what_it_has(make_run: MakeRun, command: Command, capsys: Output) -> None:
    command("compare", make_run(status=None).id, make_run(epochs=(), status="FAILED").id)
    said = capsys.readouterr().out
    assert "RUNNING" in said
    assert "accuracy    90.00%" in said


def test_losses_of_different_kinds_are_not_called_comparable(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    command("compare", make_run(right=300).id, make_run("loss.label_smoothing=0.1", right=300).id)
    assert "The losses are not comparable: loss.label_smoothing." in capsys.readouterr().out


def test_code_and_machine_are_compared(make_run: MakeRun, command: Command, capsys: Output) -> None:
    runs = [make_run(**{"git.commit": "a" * 40, "hardware": name}) for name in ("one CPU", "one GPU")]
    (runs[1].path / "code").mkdir()
    (runs[1].path / "code" / "uncommitted.diff").write_text("+ a line\n")
    command("compare", *(run.id for run in runs))
    said = capsys.readouterr().out
    assert "one CPU   one GPU" in said
    assert "uncommitted changes" in said
    assert "git.commit" not in said


def test_eight_runs_with_long_names_and_settings_fit_into_100_columns(
    make_run: MakeRun, command: Command, capsys: Output
) -> None:
    runs = [make_run(f"name={'long-name-' * 6}{seed}", f"seed={seed}", right=300 + seed) for seed in range(8)]
    command("compare", *(run.id for run in runs))
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 100 and not line.startswith("picture")] == []


def test_runs_that_cannot_be_compared_are_answered_with_a_line(make_run: MakeRun, command: Command) -> None:
    run, other = make_run(right=300), make_run(right=300)
    with pytest.raises(UserError, match=f"expected different runs, given {run.id} twice"):
        command("compare", run.id, other.id, run.id[:4])
    with pytest.raises(UserError, match="expected 2 to 8 runs, given 1"):
        command("compare", "last")
    with pytest.raises(UserError, match="expected a run id"):
        command("compare", run.id, "nothing")
    with pytest.raises(UserError, match="expected 2 to 8 runs, given 9"):
        command("compare", *(make_run().id for _ in range(9)))
    (run.path / predictions.TEST).write_bytes(b"PK nonsense")
    with pytest.raises(UserError, match="cannot be read"):
        command("compare", run.id, other.id)


def test_comparing_needs_neither_torch_nor_mlflow(make_run: MakeRun) -> None:
    runs = make_run(right=300), make_run("seed=1", right=301)
    code = (
        "import sys\nfrom visionlab.cli import main\nmain(sys.argv[1:])\n"
        "print('LOADED', *({'torch', 'mlflow', 'lightning', 'sklearn'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "compare", *(run.id for run in runs)], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "LOADED"
    assert done.stderr == ""
