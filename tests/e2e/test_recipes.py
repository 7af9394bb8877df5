"""The README's recipes, followed to the letter on a copy of the project."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
QUICK = ["trainer.max_epochs=1", "data.fraction=0.5", "tracking=off", "trainer.precision=32-true"]
MOST_LINES = 15


def recipe(title: str) -> list[tuple[str, str]]:
    """The code blocks (language, content) below a bold title of the README, up to the next one."""
    text = (ROOT / "README.md").read_text()
    section = text.partition(f"**{title}.**")[2]
    section = re.split(r"^\*\*|^`make rename", section, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"```(\w+)\n(.*?)```", section, flags=re.DOTALL)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what a fork has."""
    copy = tmp_path / "fork"
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__", ".schema"))
    return copy


def follow(blocks: list[tuple[str, str]], project: Path, home: Path) -> list[str]:
    """Write the files, apply the differences, run the commands; what they printed."""
    printed = []
    for language, content in blocks:
        if language == "bash":
            printed += [run(line, project, home) for line in content.splitlines()]
            continue
        first, _, rest = content.partition("\n")
        file = project / first.removeprefix("# ")
        if language == "diff":
            file.write_text(apply(rest, file.read_text()))
        else:
            assert not file.exists(), file
            file.write_text(rest)
    return printed


def apply(difference: str, text: str) -> str:
    """Put added lines above the next line that is there; where that one is removed, the line after it replaces it."""
    above: list[str] = []
    lines = iter(difference.splitlines())
    for line in lines:
        if line.startswith("+"):
            above.append(line[1:])
            continue
        old = line[1:]
        new = next(lines)[1:] if line.startswith("-") else old
        assert text.count(old) == 1, old
        text = text.replace(old, "\n".join([*above, new]))
        above = []
    assert not above
    return text


def run(line: str, project: Path, home: Path) -> str:
    words = shlex.split(line.replace("~", str(home)))
    assert words[0] == "visionlab"
    environment = os.environ | {"PYTHONPATH": str(project / "src"), "VISIONLAB_HOME": str(home), "HOME": str(home)}
    command = [sys.executable, "-m", *words, *QUICK]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def leaves(home: Path) -> Path:
    """Sixty photographs of two kinds of leaf in `~/leaves/train`."""
    random = np.random.default_rng(0)
    for kind, shade in (("beech", 60), ("oak", 180)):
        folder = home / "leaves" / "train" / kind
        folder.mkdir(parents=True)
        for i in range(30):
            pixels = random.integers(shade - 40, shade + 40, (50, 70, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(folder / f"{i}.jpg")
    return home / "leaves"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("title", "says"),
    [("A model", "model     tiny"), ("The loss or the training step", "accuracy"), ("Your own images", "beech, oak")],
)
def test_a_recipe_works_as_it_stands(title: str, says: str, project: Path, home: Path, leaves: Path) -> None:
    printed = follow(recipe(title), project, home)
    assert printed
    assert all(says in text for text in printed), printed


@pytest.mark.parametrize("title", ["A model", "The loss or the training step", "Your own images"])
def test_a_recipe_is_short(title: str) -> None:
    lines = [
        line
        for language, content in recipe(title)
        for line in content.splitlines()
        if line.strip("+- ") and not line.startswith(("# ", "-")) and language != "bash"
    ]
    assert 0 < len(lines) <= MOST_LINES
