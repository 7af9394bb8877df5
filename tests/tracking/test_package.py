"""A network's files are named by its checkpoint, and its tags say where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import pytest

from tests.tracking.packages import packaged
from visionlab.errors import UserError
from visionlab.tracking.package import About, Package, checkpoint_hash, origin
from visionlab.tracking.run import Run

MakeRun = Callable[..., Run]


def test_another_checkpoint_is_another_package(make_run: MakeRun) -> None:
    run = make_run()
    first = packaged(run, b"one")
    assert first.path.name == hashlib.sha256(b"one").hexdigest()[:16]
    assert Package.of(run) == first
    assert first.about() == About("lamplab.served", ("bright", "dark"), ("numpy==2.0.0",))
    (run.checkpoints / "best.ckpt").write_bytes(b"two")
    assert Package.of(run) != first
    assert not Package.of(run).is_there


def test_a_run_without_a_checkpoint_has_no_package(make_run: MakeRun) -> None:
    with pytest.raises(UserError, match="has no checkpoint"):
        Package.of(make_run())


def test_tags_name_run_checkpoint_data_and_results(make_run: MakeRun) -> None:
    run = make_run(accuracy=0.75, **{"data.fingerprint": "f" * 32, "git.commit": "abc"})
    packaged(run)
    run.add_to_report(test={"accuracy": 0.5, "roc_auc": None, "loss": 1.25})
    assert origin(run) == {
        "run": run.id,
        "run.started": str(run.start()["time"]),
        "checkpoint.sha256": checkpoint_hash(run),
        "model.name": "cnn",
        "data.name": "digits",
        "data.fingerprint": "f" * 32,
        "git.commit": "abc",
        "val/accuracy": "0.75",
        "test/accuracy": "0.5",
        "test/loss": "1.25",
    }
