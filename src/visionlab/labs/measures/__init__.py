"""Numbers by which labs compare their runs, one file for each kind. Register a measure here."""

from visionlab.labs.measures import backprop, common, gates

MEASURES = common.MEASURES | backprop.MEASURES | gates.MEASURES
