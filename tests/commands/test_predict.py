"""`visionlab predict`: what goes where, exit codes, and one line for each mistake."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.prediction.trained import Trained, trained
from tests.test_cli import heavy_modules_after
from visionlab.errors import UserError
from visionlab.tracking import predictions
from visionlab.tracking.run import Run

__all__ = ["trained"]

MakeRun = Callable[..., Run]
Command = Callable[..., None]
Output = pytest.CaptureFixture[str]


@pytest.fixture
def broken(tmp_path: Path) -> str:
    file = tmp_path / "broken.jpg"
    file.write_text("no image")
    return str(file)


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put lines on standard input."""
    return lambda text: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))


def test_a_table_in_the_order_of_the_paths(trained: Trained, command: Command, capsys: Output) -> None:
    run = trained.runs["plain"].id
    command("predict", run[:4], str(trained.photos / "owl"), str(trained.files[0]))
    said = capsys.readouterr()
    assert said.err == ""
    heading, *rows = said.out.splitlines()
    assert heading.split() == ["file", "class", "probability"]
    files = [*sorted((trained.photos / "owl").iterdir()), trained.files[0]]
    assert [row.split()[0] for row in rows] == list(map(str, files))
    assert {row.index("%") for row in rows} == {len(heading) - 1}


def test_json_and_csv_say_what_the_test_said(trained: Trained, command: Command, capsys: Output) -> None:
    run = trained.runs["cropped"]
    tested = predictions.load(run).probabilities
    classes = run.report()["classes"]
    command("predict", run.id, str(trained.photos), "--top", "9", "--json")
    found = json.loads(capsys.readouterr().out)
    assert [one["file"] for one in found] == list(map(str, trained.files))
    for one, expected in zip(found, tested, strict=True):
        assert {place["class"]: place["probability"] for place in one["ranking"]} == pytest.approx(
            dict(zip(classes, expected.tolist(), strict=True)), abs=1e-6
        )
        assert (one["class"], one["probability"]) == tuple(one["ranking"][0].values())
    command("predict", run.id, str(trained.photos), "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [(row["file"], row["class"], float(row["probability"])) for row in rows] == [
        (one["file"], one["class"], one["probability"]) for one in found
    ]


def test_broken_files_are_named_and_counted(trained: Trained, command: Command, capsys: Output, broken: str) -> None:
    command("predict", trained.runs["plain"].id, broken, str(trained.files[0]), "--json")
    said = capsys.readouterr()
    assert [one["file"] for one in json.loads(said.out)] == [str(trained.files[0])]
    assert said.err.splitlines() == [
        f"visionlab: {broken}: cannot be read (not an image of a known kind)",
        "visionlab: 1 of 2 images predicted; 1 cannot be read",
    ]


def test_paths_that_are_not_there_leave_the_rest_and_are_an_error(
    trained: Trained, command: Command, capsys: Output, broken: str, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    words = ["nowhere.jpg", broken, str(tmp_path / "empty"), str(trained.files[0])]
    with pytest.raises(UserError, match=r"^1 of 2 images predicted; 1 cannot be read; 2 paths without an image$"):
        command("predict", trained.runs["plain"].id, *words)
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 2
    assert [line.split(":")[1].strip() for line in said.err.splitlines()] == [words[0], words[2], words[1]]


def test_nothing_that_can_be_read_is_an_error(trained: Trained, command: Command, capsys: Output, broken: str) -> None:
    with pytest.raises(UserError, match=r"^0 of 1 images predicted; 1 cannot be read$"):
        command("predict", trained.runs["plain"].id, broken, "--json")
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize(
    ("word", "line"),
    [
        ("nowhere", "nowhere: No such file or directory"),
        ("-", "-: expected a path on each line of standard input, found none"),
        (".", ".: expected images in this folder (.bmp, "),
    ],
)
def test_no_file_at_all_is_one_line_before_anything_is_loaded(
    word: str,
    line: str,
    trained: Trained,
    command: Command,
    capsys: Output,
    listed: Callable[[str], None],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    listed("\n")
    with pytest.raises(SystemExit) as end:
        command("predict", trained.runs["plain"].id, word)
    assert end.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"visionlab: {line}")
    assert said.err.count("\n") == 1


def test_a_list_on_standard_input(
    trained: Trained, command: Command, capsys: Output, listed: Callable[[str], None]
) -> None:
    listed("".join(f"{file}\n" for file in trained.files[5:2:-1]))
    command("predict", trained.runs["digits"].id, "-", "--csv")
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [row["file"] for row in rows] == list(map(str, trained.files[5:2:-1]))
    assert all(row["class"] in "0123456789" for row in rows)


def test_runs_that_are_not_there_or_have_no_weights(make_run: MakeRun, command: Command) -> None:
    with pytest.raises(UserError, match="there is no run yet"):
        command("predict", "last", "x.jpg")
    run = make_run()
    with pytest.raises(UserError, match=f"^{run.id}: has no checkpoint"):
        command("predict", "last", "x.jpg")
    with pytest.raises(UserError, match=r"^run 'nix': expected a run id"):
        command("predict", "nix", "x.jpg")


@pytest.mark.parametrize("words", [["--top", "0"], ["--top", "x"], ["--json", "--csv"], []])
def test_words_that_make_no_sense(words: list[str], command: Command, capsys: Output) -> None:
    with pytest.raises(SystemExit) as end:
        command("predict", "last", *(["x.jpg"] if words else []), *words)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_explained_images_are_drawn_beside(trained: Trained, command: Command, capsys: Output, tmp_path: Path) -> None:
    folder = tmp_path / "explained"
    words = [trained.runs["plain"].id, str(trained.photos / "cat"), "--explain", str(folder)]
    command("predict", *words)
    said = capsys.readouterr()
    assert len(said.out.splitlines()) == 9
    assert said.err == f"visionlab: 1 sheet of explained images in {folder}\n"
    assert {file.name for file in folder.iterdir()} == {"explained-0001.png", "explained-0001.json"}
    with pytest.raises(UserError, match="name another"):
        command("predict", *words)


def test_help_and_mistakes_import_nothing_heavy(trained: Trained) -> None:
    for words, expected in ((["--help"], 0), (["nix", "x.jpg"], 2), ([trained.runs["plain"].id, "nowhere"], 2)):
        code, modules, said = heavy_modules_after("predict", *words)
        assert (code, modules) == (expected, set())
        assert len(said.splitlines()) == expected // 2


@pytest.mark.slow
def test_in_a_pipe(trained: Trained) -> None:
    visionlab = f"{sys.executable} -m visionlab predict {trained.runs['plain'].id}"
    command = f"ls -d {trained.photos}/*/* | {visionlab} - --csv | head -n 3; echo ${{PIPESTATUS[1]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    *rows, code = done.stdout.splitlines()
    assert (rows[0], len(rows), code) == ("file,class,probability", 3, "0")


@pytest.mark.slow
def test_a_reader_that_is_gone_is_no_error(trained: Trained) -> None:
    command = f"{sys.executable} -m visionlab predict {trained.runs['plain'].id} {trained.photos} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
