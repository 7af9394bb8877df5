"""Numbers by which labs compare their runs, one file for each kind. Register a measure here."""

from visionlab.labs.measures import backprop, common, gates, imbalance, kfold, layers, linear, weights

MEASURES = (
    common.MEASURES
    | backprop.MEASURES
    | gates.MEASURES
    | imbalance.MEASURES
    | kfold.MEASURES
    | layers.MEASURES
    | linear.MEASURES
    | weights.MEASURES
)
