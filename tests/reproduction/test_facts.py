"""What was recorded and what is now, side by side."""

from __future__ import annotations

from pathlib import Path

from visionlab.reproduction.facts import Facts, Kind, Row, compare
from visionlab.tracking.provenance import code_hash


def by_name(rows: list[Row]) -> dict[str, Row]:
    return {row.name: row for row in rows}


def test_a_fact_is_the_same_or_differs_or_was_not_recorded() -> None:
    then, now = Facts({"python": "3.11", "torch": "2.14"}), Facts({"python": "3.11", "torch": "2.15", "threads": "2"})
    rows = by_name(compare(then, now, {}))
    assert (rows["python"].is_same, rows["python"].differs) == (True, False)
    assert (rows["torch"].is_same, rows["torch"].differs) == (False, True)
    assert (rows["threads"].is_same, rows["threads"].differs) == (False, False)
    assert "lock" not in rows


def test_a_commit_matters_only_where_the_code_itself_is_not_known() -> None:
    old, new = {"commit": "aaa", "uncommitted changes": "none"}, {"commit": "bbb", "uncommitted changes": "none"}
    assert by_name(compare(Facts(old), Facts(new | {"code": "1"}), {}))["commit"].kind is Kind.ROUNDING
    known = by_name(compare(Facts(old | {"code": "1"}), Facts(new | {"code": "1"}), {}))
    assert known["commit"].kind is Kind.NOTE
    assert known["code"].is_same


def test_other_packages_are_named_but_for_the_fifth() -> None:
    names = [f"p{number}" for number in range(6)]
    then, now = ([f"{name}=={version}" for name in names] for version in (1, 2))
    (row,) = compare(Facts({}, [*then, "gone==1", "kept==1"]), Facts({}, [*now, "kept==1"]), {})
    assert row.then == "8 installed"
    assert row.now == "gone missing (was 1), p0 2 (was 1), p1 2 (was 1), p2 2 (was 1), and 3 more"
    (row,) = compare(Facts({}, then), Facts({}, then), {})
    assert row.is_same


def test_settings_that_were_edited_make_it_another_experiment() -> None:
    (row,) = compare(Facts({}), Facts({}), {"optimizer.lr": (0.1, 0.2)})
    assert row == Row("optimizer.lr", Kind.CONTENT, "0.1", "0.2")


def test_other_first_weights_are_another_experiment_where_they_were_given() -> None:
    then, now = Facts({"first weights": "a"}), Facts({"first weights": "b"})
    assert compare(then, now, {})[0].kind is Kind.ROUNDING
    assert compare(then, now, {}, given_weights=True)[0].kind is Kind.CONTENT


def test_the_hash_of_the_code_is_of_all_python_files_and_of_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "own.py").write_text("x = 1\n")
    before = code_hash(tmp_path)
    (tmp_path / "notes.txt").write_text("a note\n")
    assert code_hash(tmp_path) == before
    (tmp_path / "models" / "own.py").write_text("x = 2\n")
    changed = code_hash(tmp_path)
    assert changed != before
    (tmp_path / "models" / "own.py").rename(tmp_path / "own.py")
    assert code_hash(tmp_path) not in (before, changed)
