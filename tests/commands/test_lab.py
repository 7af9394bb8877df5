"""`visionlab lab`: the list, a lab, and the exit code that says whether the effect was seen."""

from __future__ import annotations

import pytest

from visionlab import cli, project
from visionlab.config.defaults import options
from visionlab.errors import UserError

TINY = ["dropout", "lab.tiny=true", "tracking=off"]


def command(*words: str) -> int:
    try:
        cli.main(["lab", *words])
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    return 0


def test_without_a_name_it_lists_the_labs_with_their_questions(capsys: pytest.CaptureFixture[str]) -> None:
    assert command() == 0
    printed = capsys.readouterr().out
    for name in options(project.conf(), "lab"):
        assert any(line.startswith(name) and line.endswith("?") for line in printed.splitlines())


def test_an_effect_that_is_not_seen_is_exit_code_1(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*TINY, "lab.effects=[{says: It flies, measure: accuracy, at_least: 1.1}]") == 1
    printed = capsys.readouterr()
    assert "Not seen: It flies." in printed.out
    assert "lab-dropout-tiny: Not seen: It flies." in printed.err
    # the runs are there: the same ones are judged by other effects without being trained again
    assert command(*TINY, "lab.effects=[{says: It learns, measure: accuracy, at_least: 0}]") == 0
    assert "goes on   2 of 2 are done" in capsys.readouterr().out


def test_a_name_that_there_is_not_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command("dropuot") == 2
    assert "did you mean dropout?" in capsys.readouterr().err


def test_a_picture_without_what_its_kind_needs_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(*TINY, "lab.figures=[{kind: recalls, name: recalls, title: Recalls, panels: rate}]") == 2
    assert "expected by for a picture of the kind recalls" in capsys.readouterr().err


def test_what_keeps_one_lab_from_being_done_does_not_keep_the_others(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from visionlab.commands import lab

    done = []

    def carry_out(name: str, words: list[str], fresh: bool) -> list[str]:
        if name == "augmentation":
            raise UserError("CIFAR-10 is not here")
        done.append(name)
        return []

    monkeypatch.setattr(lab, "_carry_out", carry_out)
    assert command("all", "tracking=off") == 1
    assert "lab-augmentation: CIFAR-10 is not here" in capsys.readouterr().err
    assert done == [name for name in options(project.conf(), "lab") if name != "augmentation"]
