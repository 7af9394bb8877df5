"""Silences what the libraries say about matters that are decided here by design."""

from __future__ import annotations

import logging
import warnings

MESSAGES = (
    ".*does not have many workers.*",  # there are none by design
    ".*smaller than the logging interval.*",  # the training curve has an interval of its own
    ".*`isinstance\\(treespec, LeafSpec\\)` is deprecated.*",
    ".*Total length of .* across ranks is zero.*",  # training on everything, without validation
    ".*It is recommended to use `self.log.*sync_dist=True.*",  # the values are the same in every process already
    ".*Checkpoint directory .* exists and is not empty.*",
    ".*module\\(s\\) in eval mode at the start of training.*",  # frozen stages
    ".*Trying to infer the `batch_size` from an ambiguous collection.*",
)


def quieten() -> None:
    """Leave the console to this package's own words, and to warnings that a user can act on."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    logging.getLogger("lightning.fabric").setLevel(logging.ERROR)
    for message in MESSAGES:
        warnings.filterwarnings("ignore", message=message)
