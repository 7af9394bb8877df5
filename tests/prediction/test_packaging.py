"""A package holds a network, its code and its requirements, and is there whole or not at all."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions, version
from pathlib import Path

import numpy as np
import pytest
import torch

import visionlab
from tests.prediction.trained import Trained
from visionlab.errors import UserError
from visionlab.prediction import packaging, served
from visionlab.prediction.loading import load_predictor
from visionlab.prediction.packaging import write_package
from visionlab.prediction.served import Served
from visionlab.training import checkpoint_file

# finds no other copy of the package than the one that is kept, and none of what was left out
ELSEWHERE = """
import json, sys
sys.path[:] = [path for path in sys.path if not path.endswith("/src")]
sys.path.insert(0, sys.argv[1] + "/code")
import numpy as np
from importlib import import_module
about = json.loads(open(sys.argv[1] + "/about.json").read())
model = import_module(about["loader"])._load_pyfunc(sys.argv[1] + "/network")
answer = model.predict(np.arange(4 * 24 * 30 * 3, dtype=np.uint8).reshape(4, 24, 30, 3))
import visionlab
print(json.dumps([visionlab.__file__, answer.to_dict("records"), sorted({m.partition(".")[0] for m in sys.modules})]))
"""


@pytest.mark.slow
def test_a_copy_works_in_a_fresh_process_without_run_data_and_installed_package(
    copied: Trained, tmp_path: Path
) -> None:
    run = copied.runs["cropped"]
    package, images = write_package(run), np.arange(4 * 24 * 30 * 3, dtype=np.uint8).reshape(4, 24, 30, 3)
    about = package.about()
    expected = Served(load_predictor(run.id)).predict(images)
    copy = Path(shutil.copytree(package.path, tmp_path / "copy"))
    shutil.rmtree(copied.home / "runs")
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(copy)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    origin, answer, modules = json.loads(done.stdout.splitlines()[-1])
    assert Path(origin).is_relative_to(copy / "code")
    assert answer == expected.to_dict("records")
    owners = packages_distributions()
    imported = {packaging._plain(owner) for module in modules for owner in owners.get(module, ())}
    assert imported & packaging._declared() <= {line.partition("==")[0] for line in about.requirements}
    assert f"torch=={version('torch').partition('+')[0]}" in about.requirements
    assert about.classes == ("cat", "dog", "owl")


def test_the_optimizer_and_compiled_code_stay_behind(copied: Trained) -> None:
    run = copied.runs["plain"]
    package = write_package(run)
    content = checkpoint_file.read(package.network / served.NETWORK)
    assert set(content) == {"state_dict", served.SPEC}
    original = checkpoint_file.read(run.checkpoint())["state_dict"]
    assert all(torch.equal(content["state_dict"][name], tensor) for name, tensor in original.items())
    assert not list(package.code.rglob("__pycache__"))
    assert (package.code / visionlab.__name__ / "__init__.py").exists()


def test_a_package_is_made_once_and_what_was_killed_half_way_is_no_package(
    copied: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = copied.runs["plain"]
    with monkeypatch.context() as patch:
        patch.setattr(packaging.shutil, "rmtree", lambda *arguments, **keywords: None)  # as after kill -9
        patch.setattr(packaging, "_write_code", _killed)
        with pytest.raises(KeyboardInterrupt):
            write_package(run)
    assert [path.name[0] for path in (run.path / "models").iterdir()] == ["."]
    (run.path / "models" / ".0123456789abcdef.part").mkdir()  # of an earlier checkpoint
    made = write_package(run)
    assert [path.name for path in (run.path / "models").iterdir()] == [made.path.name]
    monkeypatch.setattr(packaging, "_write_code", _killed)
    assert write_package(run) == made


@pytest.mark.parametrize("part", ["about.json", "network", "code"])
def test_a_package_of_which_a_part_was_removed_is_made_again(part: str, copied: Trained, tmp_path: Path) -> None:
    run = copied.runs["plain"]
    package = write_package(run)
    (package.path / part).rename(tmp_path / part)
    assert not package.is_there
    assert write_package(run) == package
    assert package.is_there
    assert sorted(path.name for path in package.path.iterdir()) == ["about.json", "code", "network"]


def test_a_network_that_cannot_be_used_leaves_nothing(copied: Trained) -> None:
    run = copied.runs["plain"]
    run.checkpoint().write_bytes(run.checkpoint().read_bytes()[:-1])
    with pytest.raises(UserError, match="damaged"):
        write_package(run)
    assert list((run.path / "models").iterdir()) == []


def _killed(folder: Path) -> None:
    raise KeyboardInterrupt
