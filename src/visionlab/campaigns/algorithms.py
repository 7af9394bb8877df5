"""Who proposes, who judges, and who says what mattered: optuna's algorithms, as campaigns use them."""

from __future__ import annotations

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

FEWEST = 4  # runs that have to be finished before one is pruned, or the importance of settings is estimated


def tpe(*entropy: int) -> optuna.samplers.BaseSampler:
    """A tree-structured Parzen estimator (Bergstra et al. 2011; Watanabe 2023).

    Args:
        entropy: makes the seed. That of a trial holds how many there are, so that a campaign that goes on draws nothing
            twice.
    """
    seed = int(np.random.SeedSequence(entropy).generate_state(1)[0])
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def pruner(name: str, epochs: int) -> optuna.pruners.BasePruner:
    """The median rule (Golovin et al. 2017), hyperband (Li et al. 2018) or none, for runs of so many epochs."""
    match name:
        case "median":
            return optuna.pruners.MedianPruner(n_startup_trials=FEWEST)
        case "hyperband":
            return optuna.pruners.HyperbandPruner(max_resource=epochs)
        case _:
            return optuna.pruners.NopPruner()


def importance(study: optuna.Study) -> dict[str, float]:
    """Shares of settings in the variation of the first objective (fANOVA, Hutter et al. 2014), the largest first."""
    finished = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(finished) < FEWEST:
        return {}

    def first(trial: FrozenTrial) -> float:
        return float(trial.values[0])

    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    try:
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator, target=first))
    except (ValueError, RuntimeError):
        return {}  # no two runs differ in anything
