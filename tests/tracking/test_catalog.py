"""A run is found by its id, a unique prefix, as the last, or as the best by validation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from visionlab import project
from visionlab.errors import UserError
from visionlab.tracking import shipment_state
from visionlab.tracking.catalog import all_runs, damaged, find_run, unshipped
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]


def test_an_id_or_a_unique_prefix_of_it(make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(5)]
    for run in runs:
        assert find_run(project.runs(), run.id).id == run.id
        assert find_run(project.runs(), run.id[:4]).id == run.id


def test_the_last_one_is_the_newest(make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(3)]
    assert find_run(project.runs(), "last").id == max(all_runs(project.runs()), key=lambda run: run.start()["time"]).id
    assert {run.id for run in all_runs(project.runs())} == {run.id for run in runs}


def test_the_best_is_chosen_by_validation_never_by_test(make_run: MakeRun) -> None:
    make_run(accuracy=0.7)  # test accuracy 0.3
    best = make_run(accuracy=0.9)  # test accuracy 0.1
    make_run(accuracy=0.8)
    make_run()
    assert find_run(project.runs(), "best").id == best.id


def test_the_best_is_sought_among_runs_on_the_same_data(make_run: MakeRun) -> None:
    make_run("data=cifar10", accuracy=0.99)
    digits = make_run(accuracy=0.5)
    assert find_run(project.runs(), "best").id == digits.id


def test_the_best_is_no_other_version_of_the_data_and_no_debugging(make_run: MakeRun) -> None:
    make_run(accuracy=0.99, **{"data.fingerprint": "old"})
    make_run("debug=overfit", accuracy=1.0, **{"data.fingerprint": "new"})
    real = make_run(accuracy=0.5, **{"data.fingerprint": "new"})
    assert find_run(project.runs(), "best").id == real.id


@pytest.mark.parametrize("name", ["last", "best", "abcd"])
def test_no_run_yet(name: str, home: Path) -> None:
    with pytest.raises(UserError, match="no run yet; `visionlab train` makes one"):
        find_run(project.runs(), name)


def test_names_that_mean_no_run_or_several(make_run: MakeRun) -> None:
    runs = [make_run() for _ in range(2)]
    with pytest.raises(UserError, match=f"the newest are .*{runs[0].id}"):
        find_run(project.runs(), "zzzzzz")
    with pytest.raises(UserError, match=r"expected one run, found .*type more of it"):
        find_run(project.runs(), "")


def test_the_best_of_none_with_validation(make_run: MakeRun) -> None:
    make_run()
    with pytest.raises(UserError, match="expected a run on the same digits as the last one with validation"):
        find_run(project.runs(), "best")


def test_folders_that_are_no_runs_are_passed_over(make_run: MakeRun) -> None:
    run = make_run()
    (project.runs() / "empty").mkdir()
    (project.runs() / "begun").mkdir()
    (project.runs() / "begun" / "metrics.jsonl").touch()
    assert [found.id for found in all_runs(project.runs())] == [run.id]


@pytest.mark.parametrize("first", [b'{"kind": "start", "ti', b"\0\0\0\n", b"[]\n", b'{"kind": "metrics"}\n', b"\xff\n"])
def test_a_journal_without_a_readable_first_record_is_passed_over_and_reported(make_run: MakeRun, first: bytes) -> None:
    whole, broken = make_run(), make_run()
    broken.journal_file.write_bytes(first)
    assert [run.id for run in all_runs(project.runs())] == [whole.id]
    assert [run.id for run in damaged(project.runs())] == [broken.id]
    assert find_run(project.runs(), "last").id == whole.id


def test_runs_that_have_something_left_to_send(make_run: MakeRun) -> None:
    sent, half, unsent = make_run(), make_run(points=3), make_run()
    make_run("tracking=off")
    for run, offset in ((sent, sent.journal_file.stat().st_size), (half, 10)):
        shipment_state.keep(run, shipment_state.ShipmentState(offset=offset))
    assert [run.id for run in unshipped(project.runs())] == [half.id, unsent.id]


def test_a_run_whose_configuration_cannot_be_read_counts_as_unsent(make_run: MakeRun) -> None:
    run = make_run()
    (run.path / "config.yaml").write_text("unknown: 1\n")
    assert [left.id for left in unshipped(project.runs())] == [run.id]
