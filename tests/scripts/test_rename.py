"""`make rename`: another name everywhere, the tests pass afterwards, and nothing is touched where it cannot be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "visionlab", "quokka"

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed")


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    command = ["git", *identity, *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


def rename(folder: Path, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "scripts/rename.py", name], cwd=folder, capture_output=True, text=True, check=False
    )


def commit(folder: Path) -> None:
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message=start")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A project of a few files, committed."""
    folder = tmp_path / "small project"
    files = {
        f"src/{OLD}/__init__.py": f'"""{OLD.capitalize()}."""\n',
        f"src/{OLD}/cli.py": f'HOME = "{OLD.upper()}_HOME"\nlabel = "my{OLD} {OLD}s {OLD}-{OLD}"\n',
        f"docs/{OLD}/{OLD}.md": f"# {OLD}: cnn\r\n",
        "conf/model.yaml": "name: cnn\n",
    }
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, newline="")
    (folder / "picture.bin").write_bytes(b"\0" + OLD.encode())
    (folder / "run.sh").write_text(f"{OLD} train\n")
    (folder / "run.sh").chmod(0o755)
    (folder / "scripts").mkdir()
    shutil.copy(ROOT / "scripts/rename.py", folder / "scripts")
    commit(folder)
    return folder


def test_texts_and_paths_get_the_name(small: Path) -> None:
    done = rename(small, NEW)
    assert (done.returncode, done.stderr) == (0, "")
    assert (small / f"src/{NEW}/__init__.py").read_text() == '"""Quokka."""\n'
    assert (small / f"docs/{NEW}/{NEW}.md").read_bytes() == b"# quokka: cnn\r\n"
    code = (small / f"src/{NEW}/cli.py").read_text()
    assert code == f'HOME = "QUOKKA_HOME"\nlabel = "my{OLD} {OLD}s quokka-quokka"\n'
    assert (small / "picture.bin").read_bytes() == b"\0" + OLD.encode()
    assert os.access(small / "run.sh", os.X_OK)
    assert not (small / f"src/{OLD}").exists()


def test_one_can_go_back_as_it_says(small: Path) -> None:
    way_back = rename(small, NEW).stdout.partition("go back: ")[2]
    subprocess.run(["bash", "-c", way_back], cwd=small, capture_output=True, check=True)
    assert git(small, "status", "--porcelain") == ""
    assert (small / f"src/{OLD}/cli.py").exists()


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "given none"),
        ("MyLab", "expected small letters"),
        ("my-lab", "expected small letters"),
        ("2lab", "expected small letters"),
        (OLD, "has this name already"),
        ("match", "a keyword of Python"),
        ("logging", "Python can import it"),
        ("torch", "Python can import it"),
        ("torchrun", "a package or a command of the environment"),
        ("scikit_learn", "a package or a command of the environment"),
        ("cnn", "conf/model.yaml uses the word for something else"),
    ],
)
def test_a_name_that_cannot_be_used_is_refused(small: Path, name: str, complaint: str) -> None:
    refused(small, name, complaint)
    assert git(small, "status", "--porcelain") == ""


def test_uncommitted_changes_are_not_put_at_risk(small: Path) -> None:
    (small / "run.sh").write_text("changed")
    (small / "notes.txt").write_text("new")
    refused(small, NEW, "expected everything committed, so that you can go back, found run.sh, notes.txt")


def test_without_git_there_is_no_way_back(small: Path) -> None:
    shutil.rmtree(small / ".git")
    refused(small, NEW, "not a git repository")


def test_nothing_is_overwritten(small: Path) -> None:
    (small / ".git/info/exclude").write_text(NEW)
    (small / f"docs/{NEW}").mkdir()
    refused(small, NEW, f"docs/{NEW}: expected nothing of that name")
    assert git(small, "status", "--porcelain") == ""


def refused(folder: Path, name: str, complaint: str) -> None:
    """Assert that the name is refused by one line and exit code 2."""
    done = rename(folder, name)
    assert done.returncode == 2
    assert complaint in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture(scope="module")
def renamed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this project, as it stands here, that has been renamed."""
    folder = tmp_path_factory.mktemp("renamed") / "project"
    for name in git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    commit(folder)
    done = rename(folder, NEW)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_this_project_has_the_new_name_everywhere(renamed: Path) -> None:
    git(renamed, "add", ".")
    paths = git(renamed, "ls-files")
    assert OLD not in paths.lower()
    mentions = subprocess.run(
        ["git", "grep", "--cached", "-il", OLD], cwd=renamed, capture_output=True, text=True, check=False
    )
    assert mentions.stdout == ""
    assert f"{NEW}/cli.py" in paths


@pytest.mark.slow
def test_the_lock_keeps_its_packages(renamed: Path) -> None:
    before, after = (
        [line for line in (folder / "requirements.lock").read_text().splitlines() if not line.lstrip().startswith("#")]
        for folder in (ROOT, renamed)
    )
    assert before == after


@pytest.mark.slow
def test_the_tests_pass_under_the_new_name(renamed: Path) -> None:
    done = run_in(renamed, "-m", "pytest", "tests/config", "tests/tracking/test_run.py")
    assert done.returncode == 0, done.stdout
    assert "passed" in done.stdout


@pytest.mark.slow
def test_a_run_under_the_new_name_goes_where_its_variable_says(renamed: Path, tmp_path: Path) -> None:
    settings = ["experiment=digits", "model=mlp", "trainer.max_epochs=1", "data.fraction=0.1", "tracking=off"]
    done = run_in(renamed, "-m", NEW, "train", *settings, QUOKKA_HOME=str(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(list(tmp_path.glob("runs/*/report.json"))) == 1


def run_in(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the project in `folder` with the packages of this environment."""
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(folder / "src")} | environment,
    )
