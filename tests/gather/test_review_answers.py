"""What a person has written into the table goes to decisions.csv, once, and nothing of it is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab.errors import UserError
from visionlab.gather.decisions import read_decisions
from visionlab.gather.review import answers
from visionlab.gather.review.answers import Question, take_over, write_questions

NAMES = ("cat/0123456789ab.jpg", "dog/ba9876543210.png", "dog/00ff00ff00ff.jpg")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data set with a question about each of NAMES."""
    write_questions(
        tmp_path, [Question(f"train/{name}", "", "outlier", name[:3], "", "0.500", "", "", "") for name in NAMES]
    )
    return tmp_path


def table(root: Path) -> Path:
    return root / "review" / "review.csv"


def answer(root: Path, *said: str) -> None:
    """Write into the column decision."""
    lines = table(root).read_text().splitlines()
    rows = [line.replace(",", f",{word}", 1) for line, word in zip(lines[1:], said, strict=True)]
    table(root).write_text("\n".join([lines[0], *rows, ""]))


def test_what_was_written_moves(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "decisions.csv").write_text("# mine\ncat/1.jpg,keep")
    answer(root, "drop", "", " Keep ")
    take_over(root)
    assert capsys.readouterr().out.startswith("2 decisions moved from ")
    assert read_decisions(root) == {"cat/1.jpg": "keep", NAMES[0]: "drop", NAMES[2]: "keep"}
    assert (root / "decisions.csv").read_text().startswith("# mine\ncat/1.jpg,keep\n")
    assert [line.split(",")[0] for line in table(root).read_text().splitlines()] == ["file", f"train/{NAMES[1]}"]
    # who thinks better of it changes decisions.csv, and the table does not gainsay
    (root / "decisions.csv").write_text(f"{NAMES[0]},keep\n")
    take_over(root)
    assert capsys.readouterr().out == ""
    assert read_decisions(root) == {NAMES[0]: "keep"}


def test_a_table_from_a_spreadsheet_is_understood(root: Path) -> None:
    answer(root, "drop", "KEEP", "")
    text = table(root).read_text().replace(",", ";").replace("\n", "\r\n") + ";;;;;;;;\r\n"
    table(root).write_text("\ufeff" + text, encoding="utf-8", newline="")
    take_over(root)
    assert read_decisions(root) == {NAMES[0]: "drop", NAMES[1]: "keep"}


def test_columns_may_be_moved_and_lines_be_short(root: Path) -> None:
    table(root).write_text(f"decision,file\ndrop,{NAMES[0]}\n\nkeep,{NAMES[1]}\n")
    take_over(root)
    assert read_decisions(root) == {NAMES[0]: "drop", NAMES[1]: "keep"}
    table(root).write_text("decision,file\n\ndrop\n")
    with pytest.raises(UserError, match=r"review\.csv: line 3: expected .*, given 'drop'"):
        take_over(root)


def test_without_a_table_or_an_answer_nothing_happens(root: Path, tmp_path: Path) -> None:
    before = table(root).read_text()
    take_over(root)
    assert table(root).read_text() == before
    table(root).unlink()
    take_over(root)
    table(root).write_text("")
    take_over(root)
    assert not (root / "decisions.csv").exists()


def test_a_word_that_is_not_understood_moves_nothing(root: Path) -> None:
    answer(root, "keep", "delete", "")
    with pytest.raises(UserError, match=r"review\.csv: line 3: expected keep, drop or nothing.* given 'delete'"):
        take_over(root)
    assert not (root / "decisions.csv").exists()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"name,decision\na,keep\n", r"expected the columns file and decision, found 'name, decision'"),
        (b"file,decision\n\xff,keep\n", r"cannot be read: .*; save it as CSV in UTF-8"),
        (b"file,decision\n" + b"1" * 200_000 + b",keep\n", r"cannot be read: .*; save it as CSV in UTF-8"),
    ],
)
def test_what_is_no_such_table_is_answered_with_a_line(root: Path, content: bytes, said: str) -> None:
    table(root).write_bytes(content)
    with pytest.raises(UserError, match=said):
        take_over(root)


def test_killed_between_the_two_files_nothing_is_noted_twice(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer(root, "drop", "keep", "")

    class KilledError(Exception):
        pass

    def killed(*_: object) -> None:
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(answers, "save_table", killed)
        with pytest.raises(KilledError):
            take_over(root)
    take_over(root)
    assert (root / "decisions.csv").read_text().splitlines() == [
        "file,decision",
        f"{NAMES[0]},drop",
        f"{NAMES[1]},keep",
    ]
    assert len(table(root).read_text().splitlines()) == 2
