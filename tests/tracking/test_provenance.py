"""Where a run comes from, without a word of what is nobody's business."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from visionlab.tracking import provenance
from visionlab.tracking.provenance import write_code_state


def git(root: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    root = tmp_path / "checkout"
    root.mkdir()
    git(root, "init")
    (root / "tracked.py").write_text("x = 1\n")
    git(root, "add", ".")
    git(root, "commit", "-m", "first")
    return root


def test_the_diff_is_of_tracked_files_only(checkout: Path, tmp_path: Path) -> None:
    (checkout / "tracked.py").write_text("x = 2\n\n")
    (checkout / "secret.env").write_text("PASSWORD=hunter2\n")
    installed, diff = write_code_state(checkout, tmp_path / "code")
    assert "-x = 1\n+x = 2\n+\n" in diff.read_text()
    assert "hunter2" not in diff.read_text()
    assert f"pytest=={version('pytest')}" in installed.read_text().splitlines()


def test_the_diff_can_be_applied(checkout: Path, tmp_path: Path) -> None:
    changed = "x = 2\nand a line without an end"
    (checkout / "tracked.py").write_text(changed)
    _, diff = write_code_state(checkout, tmp_path / "code")
    git(checkout, "checkout", ".")
    git(checkout, "apply", str(diff))
    assert (checkout / "tracked.py").read_text() == changed


def test_a_clean_checkout_and_no_checkout_leave_no_diff(checkout: Path, tmp_path: Path) -> None:
    assert [file.name for file in write_code_state(checkout, tmp_path / "a")] == ["installed.txt"]
    (tmp_path / "plain").mkdir()
    assert [file.name for file in write_code_state(tmp_path / "plain", tmp_path / "b")] == ["installed.txt"]


def test_a_long_diff_is_cut_and_says_so(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "LONGEST_DIFF", 1000)
    (checkout / "tracked.py").write_text("ü" * 5000 + "\n")
    _, diff = write_code_state(checkout, tmp_path / "code")
    assert len(diff.read_bytes()) < 1100
    assert diff.read_text().endswith("… cut after 1,000 bytes\n")


def test_no_environment_variable_is_in_it(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "hunter3")
    tags = provenance.provenance(checkout, "a processor")
    written = "".join(file.read_text() for file in write_code_state(checkout, tmp_path / "code"))
    assert "hunter" not in str(tags) + written
    assert tags["git.dirty"] == "false"
