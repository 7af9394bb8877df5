"""Writes a run's network down as files that need nothing else of the run."""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, packages_distributions, requires, version
from pathlib import Path

import numpy as np
from filelock import FileLock

import visionlab
from visionlab.prediction import served
from visionlab.prediction.loading import load_predictor
from visionlab.tracking.package import About, Package
from visionlab.tracking.run import Run
from visionlab.training import checkpoint_file

LEFT_OUT = ("__pycache__", "*.py[co]")


def write_package(run: Run) -> Package:
    """The package of a run's chosen checkpoint, made if it is not there; it has answered before it gets its name.

    Raises:
        UserError: the run has no checkpoint, or one that cannot be used.
    """
    package = Package.of(run)
    part = Package(package.path.with_name(f".{package.path.name}.part"))
    with FileLock(run.path / ".packaging.lock"):
        if package.is_there:
            return package
        for left in package.path.parent.glob(".*.part"):  # by processes that were killed
            shutil.rmtree(left, ignore_errors=True)
        try:
            _write_network(run, part.network)
            _write_code(part.code)
            answer = served.load(part.network, run.id).predict(np.zeros((1, 8, 8, 3), np.uint8))
            part.keep(About(served.__name__, tuple(answer.columns), _requirements()))
            shutil.rmtree(package.path, ignore_errors=True)  # of which somebody has removed a part
            part.path.rename(package.path)
        finally:
            shutil.rmtree(part.path, ignore_errors=True)
    return package


def _write_network(run: Run, folder: Path) -> None:
    """The weights without the optimizer's state, what they take for granted about images, and the configuration."""
    folder.mkdir(parents=True)
    content = checkpoint_file.read(run.checkpoint())
    spec = content.get(run.config().data.load_implementation().__qualname__) or asdict(load_predictor(run.id).spec)
    checkpoint_file.write({"state_dict": content["state_dict"], served.SPEC: spec}, folder / served.NETWORK)
    shutil.copyfile(run.path / "config.yaml", folder / served.CONFIG)


def _write_code(folder: Path) -> None:
    """This package as it stands: a network of next month's code may have other layers."""
    source = Path(visionlab.__file__).parent
    shutil.copytree(source, folder / source.name, ignore=shutil.ignore_patterns(*LEFT_OUT))


def _requirements() -> tuple[str, ...]:
    """Of the distributions that this project declares those that are imported by now, when the network has answered."""
    imported = {module.partition(".")[0] for module in list(sys.modules)}
    owners = {owner for module, found in packages_distributions().items() if module in imported for owner in found}
    in_use = _declared() & set(map(_plain, owners))
    return tuple(f"{name}=={version(name).partition('+')[0]}" for name in sorted(in_use))


def _declared() -> set[str]:
    try:
        lines = requires(visionlab.__name__) or []
    except PackageNotFoundError:  # its code is there, but it is not installed
        return set()
    return {_plain(re.split(r"[^\w.-]", line)[0]) for line in lines}


def _plain(name: str) -> str:
    """The name of a distribution as every way to write it comes out."""
    return re.sub(r"[-_.]+", "-", name).lower()
