"""A campaign and its runs in MLflow: nested, named, each point once, whoever sends them and in whatever order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.tracking.stored import points_in_journal, points_in_mlflow, stored
from visionlab import project
from visionlab.config.load import load_train_config
from visionlab.tracking import shipment_state
from visionlab.tracking.catalog import unshipped
from visionlab.tracking.journal import Journal
from visionlab.tracking.run import Run
from visionlab.tracking.shipment import Shipment
from visionlab.tracking.shipper import Shipper, ship_everything

pytestmark = pytest.mark.usefixtures("store")
PARENT = "mlflow.parentRunId"


def make_campaign(name: str = "search") -> tuple[Run, Journal]:
    run = Run(project.runs() / name)
    run.path.mkdir(parents=True)
    run.save_config(load_train_config(["experiment=digits"]))
    writer = run.journal()
    writer.append("start", run=run.id, proposer="tune", title=run.id, params={}, tags={})
    return run, writer


def make_member(campaign: Run, writer: Journal, title: str, status: str | None = "FINISHED") -> tuple[Run, Journal]:
    run = Run.create(project.runs(), load_train_config(["experiment=digits", "name=member"]))
    writer.append("member", run=run.id)
    own = run.journal()
    own.append("start", run=run.id, campaign=campaign.id, title=title, params={"optimizer.lr": 0.1}, tags={})
    own.metrics(1, {"val/accuracy": 0.5})
    if status is not None:
        own.append("status", status=status, tags={"pruned": "after 100 images"})
    return run, own


def test_runs_are_nested_below_their_campaign_and_named_by_what_differs() -> None:
    campaign, writer = make_campaign()
    members = [make_member(campaign, writer, f"00{n} lr=0.{n}")[0] for n in range(2)]
    writer.append("status", status="FINISHED", tags={})
    ship_everything(campaign)
    parent = stored(campaign)
    assert (parent.info.run_name, parent.info.status) == ("search", "FINISHED")
    for n, member in enumerate(members):
        found = stored(member)
        assert found.data.tags[PARENT] == parent.info.run_id
        assert found.info.run_name == f"00{n} lr=0.{n}"
        assert (found.info.status, found.data.tags["pruned"]) == ("FINISHED", "after 100 images")
        assert points_in_mlflow(member) == points_in_journal(member)
    assert unshipped(project.runs()) == []


def test_a_run_that_is_sent_first_takes_its_campaign_along() -> None:
    campaign, writer = make_campaign()
    member, _ = make_member(campaign, writer, "000")
    Shipment(member).send_all()
    assert stored(member).data.tags[PARENT] == stored(campaign).info.run_id


def test_a_run_whose_campaign_is_gone_is_sent_alone() -> None:
    campaign, writer = make_campaign()
    member, _ = make_member(campaign, writer, "000")
    campaign.path.rename(project.home() / "elsewhere")
    Shipment(member).send_all()
    assert PARENT not in stored(member).data.tags


def test_one_process_sends_a_campaign_and_its_runs_while_they_go_on() -> None:
    campaign, writer = make_campaign()
    shipping = Shipper(campaign)
    shipping.start()
    first, own = make_member(campaign, writer, "000", status=None)
    second, _ = make_member(campaign, writer, "001")
    _wait_until(lambda: shipment_state.load(first).offset == first.journal_file.stat().st_size)
    assert stored(first).info.status == "RUNNING"
    own.metrics(2, {"val/accuracy": 0.75})
    own.append("status", status="FINISHED", tags={})
    writer.append("status", status="FINISHED", tags={})
    assert shipping.finish(in_a_hurry=False)
    for run in (first, second):
        assert points_in_mlflow(run) == points_in_journal(run)
        assert stored(run).info.status == "FINISHED"
    assert unshipped(project.runs()) == []


def test_a_damaged_run_holds_nobody_up() -> None:
    campaign, writer = make_campaign()
    damaged, _ = make_member(campaign, writer, "000")
    damaged.journal_file.write_bytes(damaged.journal_file.read_bytes().replace(b'"kind": "metrics"', b"nonsense"))
    whole, _ = make_member(campaign, writer, "001")
    writer.append("status", status="FINISHED", tags={})
    ship_everything(campaign)
    assert points_in_mlflow(whole) == points_in_journal(whole)
    assert f"{damaged.id}: " in (campaign.path / "shipper.log").read_text()


def _wait_until(condition: Callable[[], bool]) -> None:
    import time

    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
