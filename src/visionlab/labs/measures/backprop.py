"""How far a run's gradients and its step are from those worked by hand."""

from __future__ import annotations

from visionlab.labs.backprop import largest_difference
from visionlab.labs.measures.measure import Measure
from visionlab.labs.trained import Trained
from visionlab.labs.worked import work


def _gradient_error(run: Trained) -> float:
    worked = work(run)
    return largest_difference(worked.gradients, worked.automatic)


def _step_error(run: Trained) -> float:
    worked = work(run)
    return largest_difference(worked.stepped, worked.trained)


def _descent(run: Trained) -> float:
    worked = work(run)
    return worked.loss_at(worked.stepped) - worked.passed.loss


MEASURES = {
    "gradient_error": Measure("largest difference of the gradients from autograd's", _gradient_error, "magnitude"),
    "step_error": Measure("largest difference of the step from the run's", _step_error, "magnitude"),
    "descent": Measure("change of the loss in the step", _descent),
}
