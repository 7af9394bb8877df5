"""A campaign from the words of the command line to its last line."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from types import FrameType
from typing import Any

from visionlab import project
from visionlab.campaigns.database import forget
from visionlab.campaigns.launcher import make_launcher
from visionlab.campaigns.plan import Plan
from visionlab.campaigns.planning import make_plan
from visionlab.campaigns.record import BEST, CampaignRecord
from visionlab.campaigns.results import Results, State
from visionlab.campaigns.runner import Runner, owner
from visionlab.campaigns.study import Study
from visionlab.campaigns.view import clock, done, make_view
from visionlab.comparison.measures import show
from visionlab.errors import InterruptedRun, UserError
from visionlab.tracking.run import Run

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
ENDS: tuple[State, ...] = ("finished", "pruned", "failed")
MOST_BESIDE = 100  # campaigns of one name, told apart by a number


class StopRequest:
    """While entered, the first signal is noted, for the runs to be stopped in order; a second one ends the process."""

    def __init__(self) -> None:
        self.received: int | None = None

    def __call__(self) -> bool:
        return self.received is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[None]:
        heeded = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]  # under nohup, not SIGHUP
        before = {number: signal.signal(number, self._on_signal) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            raise InterruptedRun(number)
        self.received = number
        print("", "visionlab: stopping the runs; once more stops at once", sep="\n", file=sys.stderr, flush=True)


def carry_out(kind: str, overrides: list[str], fresh: bool = False) -> Run:
    """Begin a campaign, or go on with the one that the same words have begun; its folder.

    Args:
        kind: tune, crossval, repeat, grid or lab.
        overrides: of the campaign and of its runs.
        fresh: begin anew, beside what there is of the same name.

    Raises:
        UserError: the words are wrong, the campaign is another one, or no run came to an end.
        InterruptedRun: by a signal; the same command goes on.
    """
    plan, study = _choose_name(make_plan(kind, overrides), fresh)
    told = StopRequest()
    with told.listening():
        record = CampaignRecord(plan)
        try:
            launcher = make_launcher(plan.carrying_out, record.config, record.run.path)
            _fill(plan, study)
            record.begin()
            _introduce(plan, study)
            if not study.is_done():
                launcher.prepare(record.config, told)
            view = make_view(plan.carrying_out.workers, plan.title)
            runner = Runner(plan, study, record, launcher, view, told)
            try:
                results = runner.run()
            finally:
                view.close()
        except BaseException as error:
            _end_badly(record, error)
            raise
        _conclude(plan, record, results, told, runner.time_was_up)
    return record.run


def _choose_name(plan: Plan, fresh: bool) -> tuple[Plan, Study]:
    """The campaign of this name, or name-2, name-3, …, that is about the same; or a new one.

    Of several that are about the same it is the newest, and a new one if that is done and `fresh`.

    Raises:
        UserError: there are some of this name, about something else, and a new one was not asked for.
    """
    differing: tuple[str, list[str]] | None = None
    same: Plan | None = None
    for number in range(1, MOST_BESIDE):
        named = replace(plan, name=plan.name if number == 1 else f"{plan.name}-{number}")
        known = Study.definition(named.name, plan.storage, project.runs())
        if known is None:
            break
        difference = _difference(known, json.loads(json.dumps(plan.definition()))) if known else []
        if not difference:
            same = named
        elif plan.storage is None and not _open(named).has_begun():
            _forget(named)  # it came to nothing: its data could not be had, say
            break
        else:
            differing = named.name, difference
    if same is not None and not (fresh and _is_finished(same)):
        return same, _defined(same)
    if differing is None or fresh:
        return named, _defined(named)
    name, lines = differing
    raise UserError(
        "\n".join(
            [
                f"{name}: is a campaign about something else; --fresh begins a new one beside it, or give this another "
                "campaign.name=…",
                *(f"  {line}" for line in lines),
            ]
        )
    )


def _open(plan: Plan) -> Study:
    return Study(plan.name, plan.storage, project.runs(), plan.objectives, owner())


def _defined(plan: Plan) -> Study:
    study = _open(plan)
    study.define(plan.definition())
    return study


def _is_finished(plan: Plan) -> bool:
    run = Run(project.runs() / plan.name)
    return run.journal_file.exists() and run.status() == "FINISHED"


def _forget(plan: Plan) -> None:
    run = Run(project.runs() / plan.name)
    if run.path.exists():
        run.lock().release()  # nobody is at it
        shutil.rmtree(run.path)
    forget(plan.name, project.runs())


def _difference(old: dict[str, Any], new: dict[str, Any], prefix: str = "") -> list[str]:
    """A line for each entry that is not the same."""
    lines: list[str] = []
    for key in dict.fromkeys([*old, *new]):
        a, b, path = old.get(key), new.get(key), f"{prefix}{key}"
        if a == b:
            continue
        if isinstance(a, dict) and isinstance(b, dict):
            lines += _difference(a, b, f"{path}.")
        else:
            shown = (json.dumps(value) if value is not None else "nothing" for value in (a, b))
            lines.append("{}: {} -> {}".format(path, *shown))
    return lines


def _fill(plan: Plan, study: Study) -> None:
    if plan.proposals is None:
        study.search(plan.space, plan.total, plan.seed)
    else:
        study.queue(plan.space, plan.proposals)
    study.judge_by(plan.pruner, plan.base.config().trainer.max_epochs)


def _introduce(plan: Plan, study: Study) -> None:
    results = study.results(plan.kind)
    metrics = ", ".join(f"{objective.direction} {objective.metric}" for objective in plan.objectives)
    print(f"campaign  {plan.name}: {plan.total} runs, {plan.carrying_out.workers} at a time, {metrics}")
    settled = len(results.finished()) + results.tally()["pruned"]
    if results.children and settled:
        print(f"goes on   {settled} of {plan.total} are done")
    sys.stdout.flush()


def _conclude(plan: Plan, record: CampaignRecord, results: Results, told: StopRequest, time_was_up: bool) -> None:
    notes = []
    if time_was_up:
        left = plan.total - done(results)
        notes.append(
            f"Time was up ({plan.minutes:g} minutes): {left} of {plan.total} are left; the same command goes on."
        )
    stopped = told.received is not None
    state = "stopped" if stopped else "finished" if results.finished() else "failed"
    failure = None
    try:
        record.conclude(results, state, notes)
    except Exception as error:  # noqa: BLE001 - results that are there are worth more than their pictures
        traceback.print_exc()
        failure = f"visionlab: warning: not all pictures could be drawn ({type(error).__name__}: {error})"
    if told.received is not None:
        sent = record.end("KILLED", {"signal": signal.Signals(told.received).name}, hurried=True)
    elif results.finished():
        sent = record.end("FINISHED", {}, hurried=False)
    else:
        sent = record.end("FAILED", {"error.message": _first_reason(results)}, hurried=False)
    if failure:
        print(failure, file=sys.stderr)
    _say(plan, record, results, notes, sent)
    if told.received is not None:
        print("stopped   the same command goes on")
        raise InterruptedRun(told.received)
    if not results.finished():
        raise UserError(f"{plan.name}: no run came to an end: {_first_reason(results)}")


def _first_reason(results: Results) -> str:
    return next((child.reason for child in results.children if child.reason), "none was begun")


def _end_badly(record: CampaignRecord, error: BaseException) -> None:
    number = error.signal if isinstance(error, InterruptedRun) else None
    tags = {"error.class": type(error).__name__, "error.message": str(error)[:1000]}
    record.end("KILLED" if number else "FAILED", {"signal": number.name} if number else tags, hurried=True)


def _say(plan: Plan, record: CampaignRecord, results: Results, notes: list[str], sent: bool | None) -> None:
    print()
    report = record.run.report()
    for sentence in [*report.get("text", []), *notes]:
        print(sentence.replace("\N{NO-BREAK SPACE}", " "))
    if "out_of_fold" in report:
        print(f"\n{'':<20} {'out of fold':>12}")
        for name, value in report["out_of_fold"]["metrics"].items():
            print(f"{name.replace('_', ' '):<20} {show(name, value):>12}")
    states = results.tally()
    counts = [f"{states[state]} {state}" for state in ENDS if states[state]]
    seconds = sum(child.seconds or 0 for child in results.children)
    print(f"\nruns      {', '.join(counts) or 'none'}, of {plan.total}; {clock(seconds)} of training processes")
    if (record.run.path / BEST).exists() and results.best is not None:
        print(
            f"best      {results.best.run}; `visionlab train campaign_best={plan.name}` trains it on all and tests it"
        )
    print(f"page      {record.run.path / 'report.html'}")
    if sent:
        where = record.config.tracking.uri or f"{project.home() / 'mlruns'}; `make ui` shows it"
        print(f"MLflow    {where}")
    elif sent is False:
        print(f"MLflow    not all of it has arrived; `visionlab sync {plan.name}` sends it")
