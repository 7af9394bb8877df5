"""`visionlab gather --review`: one line and exit code 2 for each mistake, and nothing heavy before it is needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.test_cli import heavy_modules_after
from visionlab import cli
from visionlab.gather.manifest import COLUMNS

Output = pytest.CaptureFixture[str]


def fails(capsys: Output, *words: str) -> str:
    """What is said when the command ends with exit code 2."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["gather", *words])
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert said.out == ""
    return said.err


@pytest.mark.parametrize("other", ["--probe", "--status", "--contact-sheet", "--offline"])
def test_a_review_goes_with_nothing_else(other: str, capsys: Output) -> None:
    assert "not allowed with argument --review" in fails(capsys, "--review", other)


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        (None, "expected the manifest of a gathered data set, found no file; run `visionlab gather`"),
        ("file,class\n", "expected the columns file, class, query,"),
        (f"{','.join(COLUMNS)}\na,b\n", "row 2: expected 17 cells, found 2; run `visionlab gather` to write it anew"),
        (f"{','.join(COLUMNS)}\n", "expected images of two classes or more in train/, found none; gather more"),
    ],
)
def test_what_is_no_gathered_set_is_answered_with_a_line(
    manifest: str | None, said: str, home: Path, capsys: Output
) -> None:
    root = home / "data" / "catdog"
    root.mkdir(parents=True)
    if manifest is not None:
        (root / "manifest.csv").write_text(manifest)
    lines = fails(capsys, "--review").splitlines()
    assert len(lines) == 1
    assert lines[0].startswith(f"visionlab: {root}")
    assert said in lines[0]
    assert not (root / "review").exists()


def test_torch_is_imported_by_a_review_alone(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "data" / "catdog" / "review").mkdir(parents=True)
    (tmp_path / "data" / "catdog" / "review" / "review.csv").write_text("file,decision\ncat/0123456789ab.jpg,keep\n")
    folders = [f"gather.classes.{label}.folder={tmp_path / 'photos'}" for label in ("cat", "dog")]
    for words in (["gather.sources=[]", *folders], ["--review"]):
        code, heavy, _ = heavy_modules_after("gather", *words)
        assert code == 2  # there are no images
        assert not heavy & {"torch", "lightning", "sklearn", "matplotlib", "mlflow"}
    assert (tmp_path / "data" / "catdog" / "decisions.csv").read_text() == "file,decision\ncat/0123456789ab.jpg,keep\n"
