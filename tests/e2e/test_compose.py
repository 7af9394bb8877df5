"""The servers of scripts/compose.yaml: started from packages, with what is written there, and used for real."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests import databases
from tests.campaigns.conftest import TINY, results, run_of
from tests.conftest import ROOT
from tests.tracking.server import Server
from tests.tracking.stored import artifacts, client_of, points_in_journal, points_in_mlflow, stored
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.training.engine import train

Cli = Callable[..., subprocess.CompletedProcess[str]]
COMPOSE = yaml.safe_load((ROOT / "scripts" / "compose.yaml").read_text())
POSTGRES, MLFLOW = COMPOSE["services"]["postgres"], COMPOSE["services"]["mlflow"]
PASSWORD, NAME = "correct horse", "lab.example.org:5000"
RUN = [word for word in TINY if word != "tracking=off"]


def substituted(text: str, variables: Mapping[str, str]) -> str:
    """What compose makes of `${NAME}`, `${NAME:-default}` and `${NAME:?what is missing}`."""

    def value(found: re.Match[str]) -> str:
        name, mark, default = found.groups()
        if name in variables:
            return variables[name]
        assert mark == ":-", f"{name} has to be set"
        return str(default)

    return re.sub(r"\$\{(\w+)(?:(:[-?])([^}]*))?\}", value, text)


def environment(service: Mapping[str, Any]) -> dict[str, str]:
    given = {"POSTGRES_PASSWORD": PASSWORD, "MLFLOW_HOSTS": f"{NAME},127.0.0.1:*"}
    return {name: substituted(value, given) for name, value in service["environment"].items()}


def moved(words: list[str], places: Mapping[str, str]) -> list[str]:
    """A command in which each place of the containers, which has to be there, is one of this machine."""
    for old, new in places.items():
        assert any(old in word for word in words), f"{old} is not in {words}"
        words = [word.replace(old, new) for word in words]
    return words


def test_the_image_has_the_versions_of_the_lock() -> None:
    locked = (ROOT / "requirements.lock").read_text()
    pinned = re.findall(r"[\w-]+==[\w.]+", MLFLOW["build"]["dockerfile_inline"])
    assert len(pinned) == 2
    for requirement in pinned:
        assert f"\n{requirement} \\\n" in locked


def test_nobody_else_reaches_them_unless_that_is_said() -> None:
    for service in (POSTGRES, MLFLOW):
        assert [substituted(port, {}).split(":")[0] for port in service["ports"]] == ["127.0.0.1"]


@pytest.fixture
def database() -> Iterator[str]:
    """Host and port of the PostgreSQL of the file, with its databases."""
    import psycopg2

    program, *options = POSTGRES["command"]
    assert program == "postgres"
    settings = environment(POSTGRES)
    for address in databases.postgresql(options, settings["POSTGRES_PASSWORD"]):
        assert settings["POSTGRES_USER"] == "lab"
        connection = psycopg2.connect(address, password=PASSWORD)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {settings['POSTGRES_DB']}")
            for config in POSTGRES["configs"]:
                cursor.execute(COMPOSE["configs"][config["source"]]["content"])
        connection.close()
        yield address.partition("@")[2].partition("/")[0]


@pytest.fixture
def server(database: str, tmp_path: Path) -> Iterator[Server]:
    """The MLflow server of the file."""
    server = Server(tmp_path)
    files = tmp_path / "files"
    places = {
        "--host=0.0.0.0": "--host=127.0.0.1",
        "--port=5000": f"--port={server.port}",
        "@postgres:5432": f"@{database}",
        "=/artifacts": f"={files}",
    }
    server.command, server.environment = moved(MLFLOW["command"], places), environment(MLFLOW)
    server.start()
    yield server
    server.kill()


@pytest.mark.slow
def test_runs_and_studies_use_them(
    server: Server, database: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracked = f"tracking.uri={server.uri}"
    run = train(load_train_config([*RUN, tracked]))
    assert run is not None
    assert points_in_mlflow(run) == points_in_journal(run)
    assert stored(run).info.status == "FINISHED"
    # the server keeps the files, and hands them out
    assert stored(run).info.artifact_uri.startswith("mlflow-artifacts:")
    assert artifacts(run)["report.json"] == (run.path / "report.json").read_bytes()
    assert list((tmp_path / "files").rglob("roc.png"))

    search = f"{server.uri}/api/2.0/mlflow/experiments/search?max_results=1"
    by_name = {host: requests.get(search, headers={"Host": host}, timeout=30).status_code for host in (NAME, "other")}
    assert by_name == {NAME: 200, "other": 403}

    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    studies = f"postgresql://lab@{database}/studies"
    space = "study.space={optimizer.lr: {float: [0.0001, 0.1], log: true}}"
    words = ["study=digits", "study.trials=2", space, f"study.storage={studies}", "campaign.name=shared", tracked]
    done = cli("tune", *words, *(word for word in RUN if not word.startswith("experiment")), timeout=240)
    assert done.returncode == 0, done.stderr
    assert len(results("shared", "tune", studies).finished()) == 2
    assert not (project.runs() / "campaigns.db").exists()
    parent = stored(run_of("shared"))
    children = client_of(run).search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert [child.info.status for child in children] == ["FINISHED"] * 2
