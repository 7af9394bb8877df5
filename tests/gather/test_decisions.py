"""What a person writes about single images is understood, or answered with the line that is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from visionlab.errors import UserError
from visionlab.gather.decisions import add_decisions, decided, read_decisions, unknown

NAME = "cat/0123456789abcdef.jpg"


@pytest.mark.parametrize(
    "written",
    [NAME, f"train/{NAME}", "rejected/near duplicate/" + NAME, "cat/0123456789abcdef", "0123456789abcdef", f" {NAME} "],
)
def test_a_file_may_be_named_as_one_sees_it(written: str, tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text(f"file,decision\n# a remark\n\n{written},Drop\n")
    decisions = read_decisions(tmp_path)
    assert decided(NAME, decisions) == "drop"
    assert decided("cat/fedcba9876543210.jpg", decisions) is None
    assert unknown(decisions, [NAME]) == []
    assert len(unknown(decisions, ["cat/fedcba9876543210.jpg"])) == 1


@pytest.mark.parametrize("line", ["cat/1.jpg", "cat/1.jpg,remove", "cat/1.jpg,drop,now", ",drop"])
def test_a_line_that_is_not_understood_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text(f"file,decision\ncat/2.jpg,keep\n{line}\n")
    with pytest.raises(UserError, match=r"decisions\.csv: line 3: expected a file .* and keep or drop.* given"):
        read_decisions(tmp_path)


def test_what_is_added_leaves_what_was_there(tmp_path: Path) -> None:
    assert read_decisions(tmp_path) == {}
    (tmp_path / "decisions.csv").write_text("# my own\ncat/1.jpg,keep\ncat/2.jpg,keep")
    add_decisions(tmp_path, {"cat/2.jpg": "drop", "dog/3.jpg": "drop"})
    assert read_decisions(tmp_path) == {"cat/1.jpg": "keep", "cat/2.jpg": "drop", "dog/3.jpg": "drop"}
    assert (tmp_path / "decisions.csv").read_text().startswith("# my own\ncat/1.jpg,keep\n")


def test_a_class_that_begins_as_a_remark_does_is_none(tmp_path: Path) -> None:
    add_decisions(tmp_path, {"#1/2.jpg": "drop"})
    add_decisions(tmp_path, {"#1/2.jpg": "drop"})
    assert read_decisions(tmp_path) == {"#1/2.jpg": "drop"}
    assert len((tmp_path / "decisions.csv").read_text().splitlines()) == 2


def test_what_is_no_table_is_answered_with_a_line(tmp_path: Path) -> None:
    (tmp_path / "decisions.csv").write_text(f"cat/{'1' * 200_000},keep\n")
    with pytest.raises(UserError, match=r"decisions\.csv: expected lines of file,decision, found no table"):
        read_decisions(tmp_path)
