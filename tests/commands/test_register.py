"""`visionlab register`: what it prints, and one line for each mistake."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.prediction.trained import Trained, copied, trained
from tests.test_cli import heavy_modules_after
from visionlab.config.trainer import TrackingConfig
from visionlab.errors import UserError
from visionlab.tracking.package import Package
from visionlab.tracking.run import Run

__all__ = ["copied", "trained"]

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def tracked(copied: Trained) -> Run:
    """A trained run that MLflow may have."""
    run = copied.runs["plain"]
    run.save_config(run.config().model_copy(update={"tracking": TrackingConfig()}))
    return run


def test_a_version_is_made_once_and_the_way_to_serve_it_is_said(
    tracked: Run, command: Command, capsys: Output, home: Path
) -> None:
    command("register", tracked.id[:4], "pets")
    first, serve = capsys.readouterr().out.splitlines()
    assert first == f"{tracked.id}: is version 1 of pets now, alias current"
    assert serve.startswith("serve it: ")
    assert "mlflow models serve -m models:/pets@current --env-manager local" in serve
    assert f"MLFLOW_TRACKING_URI=sqlite:///{home}/mlruns/mlflow.db " in serve
    command("register", tracked.id, "pets", "--alias", "best")
    said = capsys.readouterr().out.splitlines()[0]
    assert said == f"{tracked.id}: was version 1 of pets already; alias best is this version now"
    command("register", tracked.id, "pets", "--alias", "best")
    assert capsys.readouterr().out.splitlines()[0] == f"{tracked.id}: was version 1 of pets already, alias best"
    assert Package.of(tracked).is_there


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["nothing", "pets"], "run 'nothing': expected a run id"),
        (["last", "a/b"], "model name 'a/b': expected up to 100 letters"),
        (["last", "pets", "--alias", "latest"], "--alias latest: expected another word"),
        (["last", "pets"], "has no checkpoint"),
    ],
)
def test_mistakes(words: list[str], line: str, make_run: MakeRun, command: Command) -> None:
    make_run()
    with pytest.raises(UserError) as caught:
        command("register", *words)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_run_that_is_not_tracked_has_nowhere_to_go(copied: Trained, command: Command) -> None:
    with pytest.raises(UserError, match=r"was trained with tracking=off; there is no MLflow to register it in$"):
        command("register", copied.runs["plain"].id, "pets")


def test_a_run_that_is_under_way_is_refused(make_run: MakeRun, command: Command) -> None:
    run = make_run(status=None)
    with run.lock(), pytest.raises(UserError, match=r"is under way, its network will change"):
        command("register", run.id, "pets")


def test_a_mistake_loads_nothing_heavy(make_run: MakeRun) -> None:
    make_run()
    code, loaded, said = heavy_modules_after("register", "last", "pets")
    assert (code, loaded) == (2, set())
    assert said.count("\n") == 1
