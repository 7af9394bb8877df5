"""Names that MLflow refuses are refused first, and what is printed can be typed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.tracking.packages import packaged
from tests.tracking.server import free_port
from tests.tracking.stored import client_of
from visionlab.errors import UserError
from visionlab.tracking.registration import check_alias, check_name, register, serve_command
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "..", ".a", "-a", "it's", "two words", "a" * 101])
def test_names_that_would_be_taken_for_something_else(name: str) -> None:
    with pytest.raises(UserError, match=r"^model name .*: expected up to 100 letters, digits, _, - and \."):
        check_name(name)


@pytest.mark.parametrize("alias", ["", "a b", "a.b", "a/b", "latest", "Latest", "v3", "V12"])
def test_aliases_that_mlflow_refuses(alias: str) -> None:
    with pytest.raises(UserError, match=r"^--alias .*: expected"):
        check_alias(alias)


@pytest.mark.parametrize("word", ["cats-and-dogs", "cats_v1", "3"])
def test_words_that_are_both(word: str) -> None:
    check_name(word)
    check_alias(word)


def test_a_server_that_does_not_answer_is_one_line(make_run: MakeRun) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    run = make_run(f"tracking.uri={address}")
    with pytest.raises(UserError) as caught:
        register(run, packaged(run), "lamp", "current", None)
    assert str(caught.value) == (
        f"{address}: does not register {run.id} (Connection refused); the same command goes on where it stopped"
    )


@pytest.mark.usefixtures("store")
def test_a_run_that_mlflow_does_not_have_yet_is_sent_first(make_run: MakeRun, home: Path) -> None:
    run = make_run(points=3)
    register(run, packaged(run), "lamp", "current", None)
    version = client_of(run).get_model_version_by_alias("lamp", "current")
    assert client_of(run).get_run(version.run_id).info.status == "FINISHED"
    said = serve_command(run, "lamp", "current", Path("/venv/bin"))
    assert said == (
        f'PATH=/venv/bin:"$PATH" MLFLOW_TRACKING_URI=sqlite:///{home}/mlruns/mlflow.db '
        "mlflow models serve -m models:/lamp@current --env-manager local --port 5001"
    )


def test_the_command_finds_folders_with_any_name(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "a $HOME of `one's` own"
    (home / "bin").mkdir(parents=True)
    monkeypatch.setenv("VISIONLAB_HOME", str(home))
    said = serve_command(make_run(), "lamp", "current", home / "bin").partition("mlflow models")[0]
    command = said + r"""sh -c 'printf "%s\n" "${PATH%%:*}" "$MLFLOW_TRACKING_URI"'"""
    shown = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.splitlines()
    assert shown == [str(home / "bin"), f"sqlite:///{home / 'mlruns' / 'mlflow.db'}"]
