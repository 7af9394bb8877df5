"""What a launch of several processes fetches or decodes, it does once, and all wait for it however long it takes."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest

from tests.data.conftest import FileServer
from tests.data.test_cifar10 import files, small  # noqa: F401 - fixtures
from tests.data.test_folder import paint
from tests.property.ranks import in_ranks
from visionlab import project
from visionlab.commands import train
from visionlab.config.load import load_train_config
from visionlab.data import decode_cache
from visionlab.tracking.catalog import all_runs
from visionlab.training import engine, ranks

ARRIVAL_SECONDS = 2.0  # that the processes have for each other
OPTIONS = [
    "model=mlp",
    "model.hidden=[8]",
    "data.batch_size=20",
    "trainer.max_epochs=1",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "tracking=off",
    "tracking.figures=false",
]


def assert_one_run(of: str) -> None:
    (run,) = all_runs(project.runs())
    assert (run.status(), run.config().data.name, run.config().trainer.devices) == ("FINISHED", of, 2)


@pytest.mark.slow
def test_the_quick_starts_data_are_fetched_once_and_waited_for(
    request: pytest.FixtureRequest, server: FileServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(ranks, "ARRIVAL_SECONDS", ARRIVAL_SECONDS)
    _, tar = request.getfixturevalue("small")
    url = server.serve("/cifar", tar, piece=len(tar) // 4, pause=ARRIVAL_SECONDS / 2)

    def work(rank: int) -> None:
        parser = argparse.ArgumentParser()
        train.add_arguments(parser)
        train.run(parser.parse_args([*OPTIONS, f"data.urls=[{url}]"]))

    in_ranks(2, work, tmp_path)
    assert server.got == ["/cifar"]
    assert_one_run("cifar10")


def test_the_images_of_a_folder_are_decoded_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for number in range(60):
        paint(tmp_path / "pets" / ("cat", "dog")[number % 2] / f"{number}.png", number)
    log, decode = tmp_path / "decoded", decode_cache.decode

    def noted(file: Path, *arguments: Any) -> Any:
        with log.open("a") as stream:
            stream.write(f"{file.name}\n")
        return decode(file, *arguments)

    monkeypatch.setattr(decode_cache, "decode", noted)
    config = load_train_config(["data=folder", f"data.root={tmp_path / 'pets'}", "data.image_size=8", *OPTIONS])

    def work(rank: int) -> None:
        engine.train(config)

    in_ranks(2, work, tmp_path)
    assert sorted(log.read_text().split()) == sorted(f"{number}.png" for number in range(60))
    assert_one_run("folder")
