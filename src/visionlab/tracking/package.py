"""A run's network as files that need nothing else of the run: `models/<hash of the checkpoint>/` in its folder.

    about.json      what MLflow is told of it
    network/        what the loader module reads
    code/           the package's code, as it was

It is written once, under its final name only when it is whole, and is sent from there as often as need be.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from visionlab.tracking.run import Run

FOLDER, ABOUT = "models", "about.json"
DEFAULT_ALIAS = "current"
CHECKPOINT_TAG, RUN_TAG, START_TAG = "checkpoint.sha256", "run", "run.started"


@dataclass(frozen=True)
class About:
    """What MLflow is told of a network.

    Attributes:
        loader: the module that loads it from `network/`.
        classes: names, in the order of its outputs.
        requirements: distributions that it needs, with versions, as pip writes them.
    """

    loader: str
    classes: tuple[str, ...]
    requirements: tuple[str, ...]


@dataclass(frozen=True)
class Package:
    """The files of one network.

    Attributes:
        path: of their folder, there or not.
    """

    path: Path

    @classmethod
    def of(cls, run: Run) -> Package:
        """That of the run's chosen checkpoint.

        Raises:
            UserError: the run has none.
        """
        return cls(run.path / FOLDER / checkpoint_hash(run)[:16])

    @property
    def is_there(self) -> bool:
        """Whether it can be sent: somebody may have removed it, or large parts of it."""
        return all(part.exists() for part in (self.path / ABOUT, self.network, self.code))

    @property
    def network(self) -> Path:
        return self.path / "network"

    @property
    def code(self) -> Path:
        return self.path / "code"

    def about(self) -> About:
        """What was kept."""
        content = json.loads((self.path / ABOUT).read_text(encoding="utf-8"))
        return About(content["loader"], tuple(content["classes"]), tuple(content["requirements"]))

    def keep(self, about: About) -> None:
        """Write it down."""
        text = json.dumps(asdict(about), ensure_ascii=False, indent=1)
        (self.path / ABOUT).write_text(text, encoding="utf-8")


def checkpoint_hash(run: Run) -> str:
    """The SHA-256 of the run's chosen checkpoint, as `sha256sum` prints it."""
    with run.checkpoint().open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def origin(run: Run) -> dict[str, str]:
    """Tags that say where the network of a run comes from, and what the run came to."""
    start, report = run.start(), run.report()
    tags = {RUN_TAG: run.id, START_TAG: str(start["time"]), CHECKPOINT_TAG: checkpoint_hash(run)}
    tags |= {key: str(start["params"][key]) for key in ("model.name", "data.name") if key in start["params"]}
    tags |= {key: start["tags"][key] for key in ("data.fingerprint", "git.commit") if key in start["tags"]}
    for split, part in (("val", "validation"), ("test", "test")):
        tags |= {f"{split}/{key}": str(value) for key, value in report.get(part, {}).items() if _is_number(value)}
    return tags


def _is_number(value: object) -> bool:
    return isinstance(value, int | float)
