"""The state of a campaign: an Optuna study in a database.

Whatever proposes the configurations, each is a trial. Those that are known beforehand (points of a grid, seeds, folds,
random draws) are queued at once; those of TPE are asked for one by one. What the runner has to know after a crash the
trials say themselves (`visionlab.campaigns.trials`), so nothing else needs to be kept.
"""

from __future__ import annotations

import contextlib
import json
import warnings
import zlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from visionlab.campaigns import algorithms
from visionlab.campaigns.database import GRACE_SECONDS, connect
from visionlab.campaigns.distributions import decode, encode, suggest
from visionlab.campaigns.results import Child, Results
from visionlab.campaigns.space import Settings
from visionlab.campaigns.trials import QUEUED_WITH, SUPERFLUOUS, Trials, state_of
from visionlab.config.search import Objective, Parameter

DEFINITION = "definition"


class Study:
    """The trials of one campaign.

    Args:
        name: of the campaign.
        storage: address of the database; None is `campaigns.db` in `folder`.
        folder: of the runs.
        objectives: of every trial.
        owner: identifies this machine and folder among those that share the study.

    Raises:
        UserError: the database cannot be had.
    """

    def __init__(
        self, name: str, storage: str | None, folder: Path, objectives: Sequence[Objective], owner: str
    ) -> None:
        self.name, self._owner, self._is_shared = name, owner, storage is not None
        self._objectives = tuple(objectives)
        self._study = optuna.create_study(
            study_name=name,
            storage=connect(storage, folder),
            directions=[objective.direction for objective in objectives],
            load_if_exists=True,
        )
        self._storage: Any = self._study._storage
        self._trials_of_mine: dict[int, optuna.Trial] = {}
        self._space: Mapping[str, Parameter] = {}
        self._total, self._seed = 0, 0
        self._proposes = False

    @classmethod
    def definition(cls, name: str, storage: str | None, folder: Path) -> dict[str, Any] | None:
        """What the campaign of this name was said to be about; None where there is none."""
        database = connect(storage, folder)
        try:
            number = database.get_study_id_from_name(name)
        except KeyError:
            return None
        said: dict[str, Any] = json.loads(database.get_study_user_attrs(number).get(DEFINITION, "{}"))
        return said

    def define(self, definition: Mapping[str, Any]) -> None:
        """Say what the campaign is about, for those who go on with it."""
        self._study.set_user_attr(DEFINITION, json.dumps(definition))

    def queue(self, space: Mapping[str, Parameter], proposals: Sequence[Settings]) -> None:
        """Make sure that there is a trial for each of these configurations."""
        self._space, self._total, self._proposes = space, len(proposals), False
        known = self._trials().known
        for number, settings in enumerate(proposals):
            if number not in known:
                self._enqueue(settings, {"proposal": number})

    def search(self, space: Mapping[str, Parameter], total: int, seed: int) -> None:
        """Let TPE propose `total` configurations of a space."""
        self._space, self._total, self._seed, self._proposes = space, total, seed, True

    def judge_by(self, pruner: str, epochs: int) -> None:
        """Judge trials under way, of at most so many epochs, by median, hyperband or none."""
        self._study.pruner = algorithms.pruner(pruner, epochs)

    def claim(self) -> Child | None:
        """Take a configuration to carry out; None where at this moment there is none to be taken."""
        while True:
            self._try_again()
            trials = self._trials()
            if not trials.any_in(TrialState.WAITING) and not (self._proposes and trials.first_tries < self._total):
                return None
            if self._proposes:
                own = [zlib.crc32(self._owner.encode())] if self._is_shared else []
                self._study.sampler = algorithms.tpe(self._seed, len(trials), *own)
            trial = self._study.ask()
            trial.set_user_attr("owner", self._owner)
            self._storage.record_heartbeat(trial._trial_id)
            proposal = trial.user_attrs.get("proposal")
            if proposal is None:
                proposal = self._trials().rank(trial.number)
                trial.set_user_attr("proposal", proposal)
            if self._trials().is_superfluous(trial.number, proposal, self._total):
                trial.set_user_attr("reason", SUPERFLUOUS)
                self._study.tell(trial, state=TrialState.FAIL)
                continue
            settings = self._suggest(trial)
            self._trials_of_mine[trial.number] = trial
            attempt = trial.user_attrs.get("attempt", 0)
            return Child(trial.number, "running", settings, attempt=attempt, proposal=proposal)

    def has_begun(self) -> bool:
        """Whether any run was ever made."""
        return any("run" in trial.user_attrs for trial in self._trials())

    def set_run(self, number: int, run: str) -> None:
        """Note which run carries out a trial."""
        self._trials_of_mine[number].set_user_attr("run", run)

    def report(self, number: int, epoch: int, value: float) -> bool:
        """Tell an intermediate value of the first objective; whether the trial is to be pruned."""
        trial = self._trials_of_mine[number]
        if len(self._objectives) > 1:
            return False
        try:
            trial.report(value, epoch)
        except UpdateFinishedTrialError:
            return True  # this machine was not heard of for so long that another one has taken over
        return bool(trial.should_prune())

    def finish(self, number: int, values: Sequence[float]) -> None:
        """A trial has come to its end."""
        self._tell(number, TrialState.COMPLETE, values)

    def prune(self, number: int) -> None:
        """A trial was ended early, as it was not worth more."""
        self._tell(number, TrialState.PRUNED)

    def fail(self, number: int, reason: str) -> None:
        """A trial went wrong; its configuration is tried once more."""
        with contextlib.suppress(UpdateFinishedTrialError):
            self._storage.set_trial_user_attr(self._trial_id(number), "reason", reason)
        self._tell(number, TrialState.FAIL)

    def interrupt(self, number: int) -> None:
        """A trial was stopped with its campaign; its configuration is tried again."""
        self._tell(number, TrialState.FAIL)

    def beat(self) -> None:
        """Tell other machines that this one's trials are alive, and give up those that have not been heard of."""
        for trial in self._trials_of_mine.values():
            self._storage.record_heartbeat(trial._trial_id)
        if self._is_shared:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                optuna.storages.fail_stale_trials(self._study)
            self._give_up_unclaimed()

    def left_behind(self) -> list[Child]:
        """The trials that an earlier process of this machine and folder was carrying out."""
        mine = self._owner if self._is_shared else None
        trials = self._trials()
        return [
            self._child(trial, trials.proposal(trial))
            for trial in trials
            if trial.state == TrialState.RUNNING and (mine is None or trial.user_attrs.get("owner") == mine)
        ]

    def is_done(self) -> bool:
        """Whether nothing is left to do, here or on other machines."""
        self._try_again()
        trials = self._trials()
        return not trials.any_in(TrialState.WAITING, TrialState.RUNNING) and trials.first_tries >= self._total

    def results(self, kind: str, with_importance: bool = False) -> Results:
        """What there is so far."""
        trials = self._trials()
        children = [self._child(trial, trials.proposal(trial)) for trial in trials]
        return Results(
            name=self.name,
            kind=kind,
            objectives=self._objectives,
            total=self._total,
            children=tuple(child for child in children if child.reason != SUPERFLUOUS),
            importance=algorithms.importance(self._study) if with_importance and self._space else {},
            log=tuple(path for path, parameter in self._space.items() if parameter.log),
            bounds={
                path: bounds for path, parameter in self._space.items() if (bounds := parameter.bounds) is not None
            },
        )

    def _trials(self) -> Trials:
        return Trials(self._study.get_trials(deepcopy=False))

    def _trial_id(self, number: int) -> int:
        return int(self._storage.get_trial_id_from_study_id_trial_number(self._study._study_id, number))

    def _tell(self, number: int, state: TrialState, values: Sequence[float] | None = None) -> None:
        self._study.tell(number, values, state=state, skip_if_finished=True)
        self._trials_of_mine.pop(number, None)

    def _enqueue(self, settings: Settings, attributes: dict[str, Any]) -> None:
        encoded = {path: encode(value) for path, value in settings.items()}
        self._study.enqueue_trial(encoded, user_attrs=attributes)

    def _try_again(self) -> None:
        """Queue every configuration whose tries all failed, as long as it has one left."""
        for retry in self._trials().retries(self._total):
            attributes = {"proposal": retry.proposal, "attempt": retry.attempt, "again": True}
            self._enqueue(self._decoded(retry.params), attributes)

    def _give_up_unclaimed(self) -> None:
        """Fail what a process had just taken when it died, before it could give a sign of life."""
        deadline = datetime.now() - timedelta(seconds=2 * GRACE_SECONDS)
        for trial in self._trials():
            is_silent = trial.state == TrialState.RUNNING and "owner" not in trial.user_attrs
            if is_silent and trial.datetime_start is not None and trial.datetime_start < deadline:
                self._study.tell(trial.number, state=TrialState.FAIL, skip_if_finished=True)

    def _suggest(self, trial: optuna.Trial) -> Settings:
        """The trial's settings: those it was queued with, or new ones, each parameter after those it depends on."""
        if self._proposes:
            return suggest(trial, self._space)
        # proposals need not all have the same settings
        queued = self._storage.get_trial(trial._trial_id).system_attrs[QUEUED_WITH]
        return suggest(trial, {path: parameter for path, parameter in self._space.items() if path in queued})

    def _decoded(self, params: Mapping[str, Any]) -> Settings:
        return {path: decode(self._space.get(path), value) for path, value in params.items()}

    def _child(self, trial: FrozenTrial, proposal: int) -> Child:
        return Child(
            number=trial.number,
            state=state_of(trial),
            settings=self._decoded(trial.params),
            values=tuple(trial.values) if trial.state == TrialState.COMPLETE else (),
            run=trial.user_attrs.get("run", ""),
            attempt=trial.user_attrs.get("attempt", 0),
            proposal=proposal,
            reason=trial.user_attrs.get("reason", ""),
            seconds=trial.duration.total_seconds() if trial.duration is not None else None,
            curve=tuple(sorted(trial.intermediate_values.items())),
        )
