"""What the trials of a campaign say, whichever process asks them, and after any crash.

By their user attributes:

    proposal   which configuration of the campaign it is
    attempt    1 for one that is tried again because it failed
    again      it is a further try, so it does not count towards the total
    owner      the machine and folder of the campaign process that carries it out
    run        the id of its run
    reason     why it failed; without it a failed trial was interrupted, and is no fault of its configuration

Several processes may work on one study at a time. Which of two trials for the same proposal counts, and which of those
beyond the total is superfluous, is decided by their numbers, which the database gives out once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from optuna.trial import FrozenTrial, TrialState

from visionlab.campaigns.results import State

ATTEMPTS = 2
SUPERFLUOUS = "superfluous"
QUEUED_WITH = "fixed_params"  # optuna's own attribute of a trial
SETTLED = (TrialState.COMPLETE, TrialState.PRUNED)
STATES: dict[TrialState, State] = {
    TrialState.WAITING: "waiting",
    TrialState.RUNNING: "running",
    TrialState.COMPLETE: "finished",
    TrialState.PRUNED: "pruned",
}


class Retry(NamedTuple):
    """A further try of a configuration.

    Attributes:
        proposal: which configuration.
        attempt: how many of its tries were a fault of its own.
        params: as the database has them.
    """

    proposal: int
    attempt: int
    params: dict[str, Any]


class Trials:
    """All trials of a study, as they were at one moment.

    Args:
        trials: in the order of their numbers.
    """

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        self._trials = trials

    def __iter__(self) -> Iterator[FrozenTrial]:
        return iter(self._trials)

    def __len__(self) -> int:
        return len(self._trials)

    @property
    def known(self) -> set[int | None]:
        """The configurations that there are trials for."""
        return {trial.user_attrs.get("proposal") for trial in self._trials if not _is_left_out(trial)}

    @property
    def first_tries(self) -> int:
        """How many there are, whatever has become of them."""
        return sum(map(_is_first_try, self._trials))

    def any_in(self, *states: TrialState) -> bool:
        """Whether some trial is in one of these states."""
        return any(trial.state in states for trial in self._trials)

    def rank(self, number: int) -> int:
        """Which of the first tries a trial is."""
        return sum(_is_first_try(trial) for trial in self._trials if trial.number < number)

    def proposal(self, trial: FrozenTrial) -> int:
        """Which configuration a trial is about, also where its process died before it could say so."""
        known: int | None = trial.user_attrs.get("proposal")
        return self.rank(trial.number) if known is None else known

    def is_superfluous(self, number: int, proposal: int, total: int) -> bool:
        """Whether a trial is beyond the total, or another process has the same configuration in hand."""
        if proposal >= total:
            return True
        return any(
            trial.user_attrs.get("proposal") == proposal
            and (trial.state in SETTLED or (trial.state == TrialState.RUNNING and trial.number < number))
            for trial in self._trials
            if trial.number != number
        )

    def retries(self, total: int) -> Iterator[Retry]:
        """Every configuration whose tries all failed, as long as it has one left.

        Found from what the trials say, not remembered: so a process that dies at any moment forgets none.
        """
        tries: dict[int, list[FrozenTrial]] = defaultdict(list)
        for trial in self._trials:
            if not _is_left_out(trial):
                tries[self.proposal(trial)].append(trial)
        for proposal, trials in tries.items():
            if proposal >= total or any(trial.state != TrialState.FAIL for trial in trials):
                continue
            failures = sum("reason" in trial.user_attrs for trial in trials)
            if failures < ATTEMPTS:
                # what it was queued with, and what it has chosen; one that died before it had chooses when it is taken
                chosen = [trial.system_attrs.get(QUEUED_WITH, {}) | trial.params for trial in trials]
                yield Retry(proposal, failures, max(chosen, key=len))


def state_of(trial: FrozenTrial) -> State:
    """What has become of a trial."""
    return STATES.get(trial.state) or ("failed" if "reason" in trial.user_attrs else "interrupted")


def _is_left_out(trial: FrozenTrial) -> bool:
    return bool(trial.user_attrs.get("reason") == SUPERFLUOUS)


def _is_first_try(trial: FrozenTrial) -> bool:
    return "again" not in trial.user_attrs and not _is_left_out(trial)
