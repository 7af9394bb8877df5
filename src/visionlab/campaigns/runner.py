"""Carries out a campaign: starts runs, follows them, ends them early, tries again what failed, until all is done."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from visionlab import project
from visionlab.campaigns.follow import Follower, Outcome, outcome
from visionlab.campaigns.launcher import LOST, OUTPUT, Launcher, Process
from visionlab.campaigns.plan import Plan
from visionlab.campaigns.record import CampaignRecord
from visionlab.campaigns.results import Child, Results, State
from visionlab.campaigns.study import Study
from visionlab.campaigns.view import View
from visionlab.comparison.measures import show
from visionlab.errors import UserError
from visionlab.tracking.member import request_pruning
from visionlab.tracking.run import Run

POLL_SECONDS = 0.05
# from one look for something to do to the next, where there was nothing; from one sign of life to the next
IDLE_SECONDS, BEAT_SECONDS = 0.5, 15.0
GRACE_SECONDS = 7.0  # for runs to write a checkpoint when the campaign is told to stop
ORPHAN_SECONDS = 30.0


@dataclass
class Active:
    """A run under way.

    Attributes:
        late: its time was up.
    """

    child: Child
    run: Run
    process: Process
    follower: Follower
    slot: int
    began: float = field(default_factory=time.monotonic)
    late: bool = False
    pruned: bool = False


class Runner:
    """One process of a campaign; several on other machines may share its study.

    Args:
        told_to_stop: asked all the time.
    """

    def __init__(
        self,
        plan: Plan,
        study: Study,
        record: CampaignRecord,
        launcher: Launcher,
        view: View,
        told_to_stop: Callable[[], bool],
    ) -> None:
        self._plan, self._study, self._record = plan, study, record
        self._launcher, self._view, self._told_to_stop = launcher, view, told_to_stop
        self._active: dict[int, Active] = {}
        self._results = study.results(plan.kind)
        self._began = self._beaten = time.monotonic()
        self._idle_until, self._is_done = 0.0, False

    def run(self) -> Results:
        """Go on until every configuration has a result, was pruned or given up, time is up, or it is told to stop."""
        try:
            self._clean_up()
            self._refresh()
            self._is_done = self._study.is_done()
            while not self._is_done and not self._told_to_stop():
                self._beat()
                self._collect()
                self._follow()
                self._start()
                self._view.update(self._results, self._latest())
                if self._time_is_up() and not self._active:
                    break
                time.sleep(POLL_SECONDS)
        finally:
            self._stop_all()
            self._launcher.close()
        self._refresh()
        return self._study.results(self._plan.kind, with_importance=self._plan.lab is None)

    @property
    def time_was_up(self) -> bool:
        """Whether configurations are left because of the time."""
        return self._time_is_up() and not self._study.is_done()

    def _clean_up(self) -> None:
        """Settle what a process of this campaign that was killed has left: finished runs count, others begin anew."""
        for child in self._study.left_behind():
            run = Run(project.runs() / child.run) if child.run else None
            if run is None or not run.path.exists():
                self._study.interrupt(child.number)
                continue
            requested = _end_orphan(run)
            ended = outcome(run, None, self._plan.objectives)
            if ended.state == "finished" or (ended.state == "pruned" and not requested):
                self._settle(child, run, ended)
            else:
                request_pruning(run)  # a job of a cluster may not have begun yet
                self._study.interrupt(child.number)
                self._say(replace(child, state="interrupted"), "was interrupted; it begins anew")

    def _beat(self) -> None:
        now = time.monotonic()
        if now - self._beaten > BEAT_SECONDS:
            self._beaten = now
            self._study.beat()
            self._refresh()

    def _collect(self) -> None:
        """Settle the runs whose processes have ended."""
        for number, active in list(self._active.items()):
            code = active.process.exit_code()
            if code is None:
                continue
            active.process.kill()  # what is left of it
            _end_orphan(active.run)
            self._report_news(active)
            ended = outcome(active.run, code, self._plan.objectives)
            if active.late and ended.state != "finished":
                minutes = self._plan.carrying_out.minutes_per_run
                ended = Outcome("failed", reason=f"it took longer than campaign.minutes_per_run={minutes:g}")
            elif ended.state == "stopped":
                ended = Outcome("failed", reason="somebody else has stopped it")
            del self._active[number]
            if code == LOST and ended.state == "failed":
                self._study.interrupt(number)
                self._say(replace(active.child, state="interrupted"), "lost its server; it begins anew")
            else:
                self._settle(active.child, active.run, ended)
            self._idle_until = 0.0

    def _settle(self, child: Child, run: Run, ended: Outcome) -> None:
        state: State
        match ended.state:
            case "finished":
                self._study.finish(child.number, ended.values)
                words = ", ".join(
                    f"{objective.metric} {show(objective.metric, value)}"
                    for objective, value in zip(self._plan.objectives, ended.values, strict=True)
                )
                state = "finished"
            case "pruned":
                self._study.prune(child.number)
                state, words = "pruned", ""
            case _:
                self._study.fail(child.number, ended.reason)
                state, words = "failed", ended.reason
        self._refresh()
        settled = next((one for one in self._results.children if one.number == child.number), child)
        took = f" ({settled.seconds:.1f} s)" if settled.seconds is not None else ""
        self._say(replace(settled, state=state), f"{state}{took}{': ' if words else ''}{words}")

    def _follow(self) -> None:
        """Pass on what runs under way have measured, and end those that are not worth more or take too long."""
        limit = self._plan.carrying_out.minutes_per_run
        for active in self._active.values():
            if self._report_news(active) and not active.pruned:
                active.pruned = True
                request_pruning(active.run)
            if not (active.run.path / OUTPUT).exists():
                active.began = time.monotonic()  # a job that waits for its turn
            if limit is not None and not active.late and time.monotonic() - active.began > 60 * limit:
                active.late = True
                active.process.kill()

    def _report_news(self, active: Active) -> bool:
        """Whether the run is to be pruned."""
        verdicts = [self._study.report(active.child.number, epoch, value) for epoch, value in active.follower.news()]
        return any(verdicts)

    def _start(self) -> None:
        """Give every free worker something to do."""
        taken = {active.slot for active in self._active.values()}
        free = [slot for slot in range(self._plan.carrying_out.workers) if slot not in taken]
        for slot in free:
            if self._time_is_up() or time.monotonic() < self._idle_until:
                return
            child = self._study.claim()
            if child is None:
                self._idle_until = time.monotonic() + IDLE_SECONDS
                self._is_done = not self._active and self._study.is_done()
                return
            run = self._record.prepare(child)
            self._study.set_run(child.number, run.id)
            follower = Follower(run, self._plan.objectives[0].metric)
            self._active[child.number] = Active(child, run, self._launcher.start(run, slot), follower, slot)
            self._refresh()
            self._say(child, "started" if child.attempt == 0 else "started again, as it had failed")

    def _time_is_up(self) -> bool:
        return self._plan.minutes is not None and time.monotonic() - self._began > 60 * self._plan.minutes

    def _stop_all(self) -> None:
        """Have runs under way stop with a checkpoint, and kill those that do not."""
        for active in self._active.values():
            active.process.stop()
        end = time.monotonic() + GRACE_SECONDS
        for active in self._active.values():
            while active.process.exit_code() is None and time.monotonic() < end:
                time.sleep(POLL_SECONDS)
            active.process.kill()
        for number, active in self._active.items():
            while active.process.exit_code() is None and time.monotonic() < end + GRACE_SECONDS:
                time.sleep(POLL_SECONDS)
            ended = outcome(active.run, active.process.exit_code(), self._plan.objectives)
            if ended.state in ("finished", "pruned"):
                self._settle(active.child, active.run, ended)
            else:
                self._study.interrupt(number)
        self._active.clear()

    def _refresh(self) -> None:
        self._results = self._study.results(self._plan.kind)
        self._record.update(self._results)
        self._view.update(self._results, self._latest())

    def _latest(self) -> dict[int, float]:
        latest = {number: active.follower.latest for number, active in self._active.items()}
        return {number: value for number, value in latest.items() if value is not None}

    def _say(self, child: Child, words: str) -> None:
        self._view.event(child, words)


def owner() -> str:
    """This machine and folder, among those that share a study."""
    return f"{socket.gethostname()}:{project.home()}"


def _end_orphan(run: Run) -> bool:
    """Make sure that no process trains a run any more; whether one had to be told.

    Raises:
        UserError: it does not end.
    """
    requested = False
    end = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            run.lock().release()
            return requested
        except UserError:
            if not requested:
                requested = True
                request_pruning(run)
            if time.monotonic() > end:
                raise UserError(
                    f"{run.id}: is still being trained by a process that the campaign has lost; stop that first"
                ) from None
            time.sleep(POLL_SECONDS)
