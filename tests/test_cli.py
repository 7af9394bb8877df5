"""The command line as a user meets it: fresh processes, exit codes, and no torch before it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from visionlab.cli import _parse

Cli = Callable[..., subprocess.CompletedProcess[str]]

HEAVY = ("torch", "lightning", "torchmetrics", "mlflow", "sklearn", "matplotlib", "numpy")


def heavy_modules_after(*arguments: str) -> tuple[int, set[str], str]:
    """Run the command in a fresh process: its exit code, which heavy modules it imported, what it said."""
    code = (
        "import sys\n"
        "from visionlab.cli import main\n"
        "try:\n    main(sys.argv[1:])\n    code = 0\n"
        "except SystemExit as end:\n    code = end.code or 0\n"
        f"print('CODE', code, *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    words = done.stdout.splitlines()[-1].split()
    return int(words[1]), set(words[2:]), done.stderr


@pytest.mark.parametrize(
    "mistake",
    [
        "trainer.max_epoch=3",
        "optimizer.lr=abc",
        "model=cnnn",
        "+model.wdth=3",
        "trainer.precision=bf17",
        "data.batch_size=0",
    ],
)
def test_a_mistake_is_answered_with_one_line_and_code_2_before_torch_is_imported(mistake: str) -> None:
    code, modules, said = heavy_modules_after("train", mistake)
    assert code == 2
    assert modules == set()
    assert len(said.splitlines()) == 1
    assert said.startswith("visionlab: ")
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["config", "experiment=digits"], ["runs"]])
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    code, modules, said = heavy_modules_after(*arguments)
    assert (code, modules, said) == (0, set(), "")


def test_an_option_may_stand_between_settings() -> None:
    parsed = _parse(["tune", "study=digits", "--fresh", "study.trials=3"])
    assert parsed.fresh
    assert parsed.overrides == ["study=digits", "study.trials=3"]


@pytest.mark.parametrize("words", [["tune", "--frsh", "study=digits"], ["doctor", "study=digits"]])
def test_what_a_command_does_not_take_is_still_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        _parse(words)
    assert ended.value.code == 2


def test_train_help_lists_the_choices(cli: Cli) -> None:
    said = cli("train", "--help").stdout
    for words in (
        "experiment",
        "cifar10_cnn",
        "digits",
        "cifarnet, cnn, mlp, perceptron, pretrained, resnet",
        "adamw, muon, sgd",
    ):
        assert words in said


def test_config_prints_what_train_would_use(cli: Cli) -> None:
    said = cli("config", "experiment=digits", "optimizer=adamw", "optimizer.lr=0.003").stdout
    assert "  lr: 0.003" in said
    assert "  name: adamw" in said


def test_an_unknown_command_and_an_unknown_run(cli: Cli, home: Path) -> None:
    assert cli("trian").returncode == 2
    done = cli("test", "nothing")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "there is no run yet" in done.stderr


def test_a_reader_that_has_seen_enough_is_no_error() -> None:
    command = f"{sys.executable} -m visionlab config experiment=digits | head -n 1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.slow
def test_debugging_shows_the_whole_traceback(cli: Cli) -> None:
    done = cli("train", "data=folder", "data.root=nowhere", "debug=true")
    assert done.returncode != 0
    assert "Traceback" in done.stderr
