"""A run trained with `tracking.log_model=true`, served by the command that `visionlab register` prints."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.conftest import Cli
from tests.tracking.server import free_port

pytestmark = pytest.mark.slow
START_SECONDS = 240
SMALL = ("trainer.max_epochs=2", "model.width=4", "trainer.accelerator=cpu", "tracking.figures=false")


@pytest.fixture(params=["grey", "colour"])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Of a run on the digits, and of one on photos in folders."""
    if request.param == "grey":
        return ["experiment=digits", "name=shown"]
    rng = np.random.default_rng(0)
    for number in range(48):
        label, split = ("cat", "dog")[number % 2], "test" if number % 6 < 2 else "train"
        file = tmp_path / "pets" / split / label / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)).save(file)
    folder = ["data=folder", f"data.root={tmp_path / 'pets'}", "data.image_size=24", "data.batch_size=8"]
    return [*folder, "model=cnn", "name=shown"]


@pytest.fixture
def served(settings: list[str], cli: Cli, home: Path) -> Iterator[str]:
    """Where the network of the run answers. By then nothing of the run is left but what MLflow has."""
    trained = cli("train", *settings, *SMALL, "tracking.log_model=true", timeout=250)
    assert trained.returncode == 0, trained.stderr
    assert cli("sync").returncode == 0
    said = cli("register", "last", "shown")
    assert said.returncode == 0, said.stderr
    first, serve = said.stdout.splitlines()
    assert "was version 1 of shown already, alias current" in first  # training has made it
    port = free_port()
    command = serve.removeprefix("serve it: ").replace("--port 5001", f"--port {port}")
    (home / "runs").rename(home / "runs.elsewhere")
    with (home / "serve.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-c", command], cwd="/", stdout=log, stderr=log, start_new_session=True, env=_bare_environment()
        )
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + START_SECONDS
    try:
        while not _answers(address):
            assert process.poll() is None, (home / "serve.log").read_text()
            assert time.monotonic() < end, "the server does not answer"
            time.sleep(0.2)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_a_served_network_gives_the_probabilities_of_predict(served: str, cli: Cli, home: Path, tmp_path: Path) -> None:
    images = np.random.default_rng(1).integers(0, 256, (3, 50, 34, 3), dtype=np.uint8)
    answer = _ask(served, images.tolist())
    assert answer.status_code == 200, answer.text
    found = answer.json()["predictions"]
    (home / "runs.elsewhere").rename(home / "runs")
    files = [tmp_path / f"{number}.png" for number in range(len(images))]
    for file, image in zip(files, images, strict=True):
        Image.fromarray(image).save(file)
    said = cli("predict", "last", *map(str, files), "--json", "--top", "99")
    ranked = [{one["class"]: one["probability"] for one in image["ranking"]} for image in json.loads(said.stdout)]
    assert [set(one) for one in found] == [set(one) for one in ranked]
    assert [pytest.approx(one, abs=1e-6) for one in ranked] == found

    grey = _ask(served, images[:1, :9, :9, :1].tolist())
    assert sum(grey.json()["predictions"][0].values()) == pytest.approx(1, abs=1e-5)
    for wrong, reason in ([[[[300, 0, 0]]]], "out of bounds"), (images[0].tolist(), "shape"), ([[[[1, 2]]]], "channel"):
        refused = _ask(served, wrong)
        assert refused.status_code == 400
        assert reason in refused.json()["message"]


def _ask(address: str, images: list[Any]) -> requests.Response:
    return requests.post(f"{address}/invocations", json={"inputs": images}, timeout=60)


def _answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/ping", timeout=1).ok
    except requests.RequestException:
        return False


def _bare_environment() -> dict[str, str]:
    """As a shell has it in which no environment is active."""
    bash = Path(shutil.which("bash") or "/bin/bash").parent
    kept = {name: value for name, value in os.environ.items() if name in ("HOME", "TMPDIR", "OMP_NUM_THREADS")}
    return kept | {"PATH": f"{bash}:/usr/bin:/bin", "MLFLOW_DISABLE_TELEMETRY": "true"}
