"""Campaigns whose processes are killed at random moments come to the same end as undisturbed ones."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.campaigns.conftest import TINY, results, run_of
from visionlab import project
from visionlab.comparison.summary import summaries
from visionlab.tracking.run import Run

pytestmark = pytest.mark.slow
TRIALS = 20
SPACE = "{optimizer.lr: {float: [0.0001, 0.1], log: true}, model.hidden: {choices: [[4], [8], [16]]}}"
RATES, WIDTHS = "[0.0003, 0.001, 0.003, 0.01, 0.03]", "[[4], [6], [8], [16]]"
GRID_SPACE = f"{{optimizer.lr: {{choices: {RATES}}}, model.hidden: {{choices: {WIDTHS}}}}}"
RANDOM, GRID = (
    [f"study.sampler={sampler}", f"study.space={space}"] for sampler, space in (("random", SPACE), ("grid", GRID_SPACE))
)
RUN = [word for word in TINY if not word.startswith(("experiment", "trainer.max_epochs", "model.hidden"))]


def command(name: str, *words: str) -> list[str]:
    study = ["study=digits", "study.pruner=none", f"study.trials={TRIALS}", "trainer.max_epochs=6"]
    return [
        sys.executable,
        "-m",
        "visionlab",
        "tune",
        *study,
        *RUN,
        f"campaign.name={name}",
        "campaign.workers=2",
        *words,
    ]


def start(name: str, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(command(name, *words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def training(name: str) -> dict[psutil.Process, Run]:
    """The processes that train runs of a campaign, found by the file that each writes to."""
    found = {}
    for process in psutil.process_iter():
        try:
            target = str(Path(f"/proc/{process.pid}/fd/1").readlink())
        except OSError:
            continue
        if f"-{name}-" in target and target.endswith("output.log"):
            found[process] = Run(Path(target).parent)
    return found


def kill_one(name: str, settings_killed: set[str], generator: random.Random) -> int:
    """Kill a run whose settings were not killed before, as a configuration is given up after its second failure."""
    victims = list(training(name).items())
    generator.shuffle(victims)
    for process, run in victims:
        config = run.config()
        settings = f"{config.optimizer.lr} {config.model}"
        if settings not in settings_killed:
            settings_killed.add(settings)
            process.kill()
            return 1
    return 0


def wait_for(condition: object, process: subprocess.Popen[str], seconds: float = 90) -> bool:
    """Whether it came true before the process ended."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():  # type: ignore[operator]
            return True
        if process.poll() is not None:
            return False
        time.sleep(0.01)
    raise AssertionError("it never came true")


def finished(name: str) -> int:
    return sum(one.campaign == name and one.status == "FINISHED" for one in summaries(project.runs())[0])


@pytest.mark.timeout(900)
@pytest.mark.parametrize("words", [RANDOM, GRID], ids=["random", "grid"])
def test_ten_kills_change_nothing(words: list[str]) -> None:
    undisturbed = start("calm", *words)
    assert undisturbed.wait(300) == 0, undisturbed.communicate()[0]

    generator = random.Random(0)
    settings_killed: set[str] = set()
    runs_killed = parents_killed = 0
    while True:
        process = start("killed", *words)
        goal = finished("killed") + generator.randint(1, 2)
        if parents_killed < 5:
            while runs_killed <= parents_killed and wait_for(lambda: training("killed"), process):
                time.sleep(generator.random() * 0.4)
                runs_killed += kill_one("killed", settings_killed, generator)
            if wait_for(lambda goal=goal: finished("killed") >= min(goal, TRIALS - 1), process):
                time.sleep(generator.random() * 0.3)
                process.kill()
                parents_killed += 1
                process.communicate()
                time.sleep(0.5)
                assert training("killed") == {}  # no orphan
                continue
        output = process.communicate(timeout=300)[0]
        assert process.returncode == 0, output
        break
    assert (parents_killed, runs_killed) == (5, 5)

    found, calm = results("killed", "tune"), results("calm", "tune")
    assert len(found.finished()) == TRIALS
    numbers = [child.number for child in found.children]
    assert len(set(numbers)) == len(numbers)
    # no configuration was trained to its end twice
    assert max(Counter(child.proposal for child in found.finished()).values()) == 1
    ended = [
        one.run.config()
        for one in summaries(project.runs())[0]
        if one.campaign == "killed" and one.status == "FINISHED"
    ]
    assert max(Counter((one.optimizer.lr, str(one.model)) for one in ended).values()) == 1
    assert len(ended) == TRIALS
    by_settings = {str(child.settings): child.values for child in found.finished()}
    assert by_settings == {str(child.settings): child.values for child in calm.finished()}
    assert found.best is not None
    assert calm.best is not None
    assert (found.best.settings, found.best.values) == (calm.best.settings, calm.best.values)
    assert run_of("killed").status() == "FINISHED"


@pytest.mark.timeout(300)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_campaign_that_is_told_to_stop_stops_its_runs_and_goes_on_later(
    number: signal.Signals, code: int, home: Path
) -> None:
    words = [*RANDOM, "study.trials=3", "trainer.max_epochs=300"]
    process = start("stopped", *words)
    assert wait_for(lambda: len(training("stopped")) == 2, process)
    time.sleep(0.5)
    process.send_signal(number)
    began = time.monotonic()
    output = process.communicate(timeout=60)[0]
    assert process.returncode == code, output
    assert time.monotonic() - began < 15
    assert training("stopped") == {}
    assert run_of("stopped").status() == "KILLED"
    assert {child.state for child in results("stopped", "tune").children if child.run} == {"interrupted"}
    assert all(run.status() == "KILLED" for run in _runs("stopped"))
    again = start("stopped", *words)
    output = again.communicate(timeout=200)[0]
    assert again.returncode == 0, output
    assert len(results("stopped", "tune").finished()) == 3


@pytest.mark.timeout(300)
def test_the_default_search_comes_to_its_total_too() -> None:
    words = [f"study.space={SPACE}", "study.trials=8", "study.pruner=median"]
    for kills in range(3):
        process = start("searched", *words)
        assert wait_for(lambda kills=kills: finished("searched") >= 2 * kills + 1, process)
        process.kill()
        process.communicate()
    again = start("searched", *words)
    output = again.communicate(timeout=200)[0]
    assert again.returncode == 0, output
    found = results("searched", "tune")
    tally = found.tally()
    assert tally["finished"] + tally["pruned"] == 8
    assert sorted({child.proposal for child in found.children}) == list(range(8))


@pytest.mark.timeout(300)
def test_the_death_of_the_server_that_runs_are_forked_from_leaves_none_behind() -> None:
    words = [*RANDOM, "study.trials=2", "trainer.max_epochs=200"]
    process = start("forked", *words)
    assert wait_for(lambda: len(training("forked")) == 2, process)
    before = training("forked")
    for trainer in before:
        trainer.suspend()  # so that none comes to its end before its server does
    next(iter(before)).parent().kill()  # type: ignore[union-attr]
    output = process.communicate(timeout=200)[0]
    assert process.returncode == 0, output
    assert output.count("lost its server") == 2
    assert not any(trainer.is_running() and trainer.status() != psutil.STATUS_ZOMBIE for trainer in before)
    assert sum(run.status() == "FINISHED" for run in _runs("forked")) == 2


def _runs(name: str) -> list[Run]:
    return [one.run for one in summaries(project.runs())[0] if one.campaign == name]
