"""What a run hands over for MLflow besides its figures: a model, where it is asked for."""

from __future__ import annotations

import pytest

from visionlab.config.load import load_train_config
from visionlab.errors import UserError
from visionlab.prediction import packaging
from visionlab.tracking import journal
from visionlab.tracking.journal import Record
from visionlab.tracking.package import Package, origin
from visionlab.tracking.run import Run
from visionlab.tracking.shipper import Shipper
from visionlab.training.engine import train

SMALL = ["data.fraction=0.2", "model.width=4", "trainer.max_epochs=1", "trainer.accelerator=cpu", "name=small"]


@pytest.fixture(autouse=True)
def nothing_is_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shipper, "start", lambda shipper: None)
    monkeypatch.setattr(Shipper, "finish", lambda shipper, in_a_hurry: True)


def trained(*settings: str) -> tuple[Run, list[Record]]:
    """A run, and what its journal says of models."""
    run = train(load_train_config(["experiment=digits", *SMALL, "tracking.figures=false", *settings]))
    assert run is not None
    return run, [record for record in journal.read(run.journal_file)[0] if record["kind"] == "model"]


def test_a_model_is_handed_over_with_name_and_tags() -> None:
    run, (record,) = trained("tracking.log_model=true")
    assert run.path / record["folder"] == Package.of(run).path
    assert Package.of(run).about().classes == tuple("0123456789")
    assert (record["name"], record["tags"]) == ("small", origin(run))
    assert {"test/accuracy", "val/accuracy", "data.fingerprint"} <= record["tags"].keys()


@pytest.mark.parametrize("settings", [[], ["tracking.log_model=true", "debug=true"]])
def test_none_is_made_unasked_or_for_debugging(settings: list[str]) -> None:
    run, records = trained(*settings)
    assert records == []
    assert not (run.path / "models").exists()


def test_a_run_of_which_no_model_can_be_made_is_finished_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: Run) -> Package:
        raise UserError("no squares")

    monkeypatch.setattr(packaging, "write_package", fail)
    run, records = trained("tracking.log_model=true")
    assert (run.status(), records) == ("FINISHED", [])
    assert "warning: no model could be made of the run (UserError: no squares)" in capsys.readouterr().err
