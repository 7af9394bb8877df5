"""Which data sets are on this machine, and whether they are whole."""

from __future__ import annotations

from pathlib import Path

import yaml

from visionlab import project
from visionlab.data.cifar10_files import CIFAR10
from visionlab.doctor.finding import Finding, failure, ok, warning
from visionlab.errors import DamagedDataError

MEGABYTE = 1e6


def check_cifar10() -> Finding:
    """CIFAR-10 by the MD5s of its files, which takes half a second."""
    root = project.data()
    folder = root if (root / "batches.meta").is_file() else root / CIFAR10.folder
    if not folder.exists():
        if (root / CIFAR10.filename).exists():
            return ok(f"{root / CIFAR10.filename}; the first run that needs it checks and unpacks it")
        size = CIFAR10.size / MEGABYTE
        return warning(f"not in {root}", f"the first `visionlab train` that needs it fetches it ({size:.0f} MB)")
    try:
        CIFAR10.check_content(folder)
    except DamagedDataError as error:
        what, _, advice = str(error).partition("\n")
        return failure(what, advice)
    return ok(f"{folder}, whole")


def check_folders() -> Finding:
    """The image folders that the YAML files in `conf/data` name."""
    named = {file.stem: root for file in sorted((project.conf() / "data").glob("*.yaml")) if (root := _root(file))}
    missing = [f"{name} ({root})" for name, root in named.items() if not root.is_dir()]
    if missing:
        return warning(f"not there: {', '.join(missing)}", "put the images there, or change root in conf/data")
    return ok(", ".join(f"{name} in {root}" for name, root in named.items()) or "none named in conf/data")


def _root(file: Path) -> Path | None:
    """The folder that a data set's YAML file names, if it does."""
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    root = content.get("root") if isinstance(content, dict) else None
    return Path(root).expanduser().absolute() if isinstance(root, str) and "${" not in root else None
